#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every real log yields the kinds of message, the counts and the devices that its index says.

    corpus_explain.py SLUICE EXCEPTIONS [--list]

The logs are not part of this project: SLUICE_CORPUS names their folder (default: ../shared/corpus
beside the sources); without it the test is skipped and says so. Where we differ from the index on
purpose, EXCEPTIONS says which file, what we count, and why. An exception that is not needed is a
failure too. --list prints all differences and stops.
"""

import collections
import json
import os
import re
import subprocess
import sys
from pathlib import Path

# The index's kind of line -> the names of our formats that cover it.
KINDS = {
    "intel-dma-fault": ["intel-dma-fault"],
    "intel-dma-fault-nopasid": ["intel-dma-fault-nopasid"],
    "intel-dma-fault-pasid": ["intel-dma-fault-pasid"],
    "intel-dma-fault-oldest": ["intel-dma-fault-oldest"],
    "intel-fault-status": ["intel-fault-status"],
    "intel-intr-fault": ["intel-intr-fault"],
    "intel-inval-error": ["intel-inval-error", "intel-inval-detail"],
    "intel-pt-dump": ["intel-pt-dump"],
    "intel-rmrr-ineligible": ["intel-rmrr-ineligible"],
    "intel-firmware-bug": ["intel-firmware-bug"],
    "intel-iova-alloc-fail": ["intel-iova-alloc-fail"],
    "xen-vtd-fault": ["xen-vtd-fault", "xen-vtd-reason"],
    "amd-io-page-fault": ["amd-event:IO_PAGE_FAULT"],
    "amd-illegal-dte": ["amd-event:ILLEGAL_DEV_TABLE_ENTRY", "amd-register-dump"],
    "amd-invalid-request": ["amd-event:INVALID_DEVICE_REQUEST"],
    "amd-iotlb-timeout": ["amd-event:IOTLB_INV_TIMEOUT"],
    "amd-completion-wait": ["amd-completion-wait"],
    "amd-firmware-bug": ["amd-firmware-bug"],
    "amd-perf-counter": ["amd-perf-counter"],
    "smmuv3-event": ["smmuv3-event"],
    "smmuv3-event-decoded": ["smmuv3-event-decoded"],
    "smmuv3-gerror": ["smmuv3-gerror"],
    "smmuv3-cmdq-error": ["smmuv3-cmdq-error"],
    "smmuv3-cmd-sync-timeout": ["smmuv3-cmd-sync-timeout"],
    "smmu-context-fault": ["smmu-context-fault"],
    "smmu-global-fault": ["smmu-global-fault", "smmu-global-registers"],
    "tegra-mc-fault": ["tegra-mc-fault"],
    "other-soc-fault": ["mediatek-fault", "exynos-fault", "rockchip-fault", "renesas-fault"],
    "swiotlb-full": ["swiotlb-full"],
    "swiotlb-oom": ["swiotlb-oom"],
    "swiotlb-boot": ["swiotlb-boot"],
    "vfio-group-not-viable": ["vfio-group-not-viable"],
    "vfio-no-reset": ["vfio-no-reset"],
    "iommu-group-fail": ["iommu-group-fail"],
}
# Boot lines and VFIO's other lines: the index counts lines by broad expressions; what matters is
# that we see them at all.
PRESENCE = {
    "boot-intel": re.compile("intel-"),
    "boot-amd": re.compile("amd-"),
    "boot-arm": re.compile("arm-|smmu"),
    "boot-generic": re.compile("iommu-|swiotlb-boot"),
    "vfio-other": re.compile("vfio-"),
}
BDF = re.compile(r"(?:([0-9a-f]{4,}):)?(?:0x)?([0-9a-f]{1,2}):(?:0x)?([0-9a-f]{1,2})\.([0-7])")


def normal_device(text):
    """A device in one spelling: 0000:02:00.0; stream IDs as they are."""
    found = BDF.fullmatch(text)
    if not found:
        return text
    segment, bus, device, function = found.groups()
    return f"{int(segment or '0', 16):04x}:{int(bus, 16):02x}:{int(device, 16):02x}.{function}"


def devices_of(report):
    """Every device and stream that an entry names."""
    names = set()
    for problem in report["problems"]:
        for text in (problem["device"]["id"], problem["device"]["reported_by"],
                     problem["values"].get("stream_id"), problem["values"].get("substream_id")):
            if text:
                names.add(normal_device(text.removeprefix("stream ")))
    return names


def messages_of(report):
    """Counts by format; AMD's events by their names too."""
    counts = collections.Counter(report["messages"])
    for problem in report["problems"]:
        if problem["kind"].startswith("amd-") and "name" in problem["values"]:
            counts["amd-event:" + problem["values"]["name"]] += problem["count"]
    return counts


def differences(row, report):
    """What we see otherwise than the index, as {what: ours}."""
    found = {}
    counts = messages_of(report)
    expected = dict(part.rsplit(":", 1) for part in row["event_line_counts"].split(",") if part)
    for kind, names in KINDS.items():
        ours = sum(counts[name] for name in names)
        if ours != int(expected.get(kind, 0)):
            found[kind] = ours
    for kind, names in PRESENCE.items():
        if kind in expected and not any(names.match(name) for name in counts):
            found[kind] = 0
    ours = devices_of(report)
    for device in filter(None, row["devices"].split(",")):
        # The index takes the substream of a decoded event for a device too.
        if normal_device(device) not in ours and device != "0x0":
            found["device " + device] = "missing"
    return found


def explain(sluice, path):
    """The report, and what was wrong with running it."""
    done = subprocess.run([sluice, "explain", "--json", path], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode not in (0, 1) or done.stderr:
        return None, f"status {done.returncode}: {done.stderr[:200]}"
    return json.loads(done.stdout), None


def read_rows(folder):
    """The index's rows."""
    lines = (folder / "index.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"))) for line in lines[1:]]


def check(row, report, exception):
    """Problems of one log, as lines."""
    found = differences(row, report)
    allowed = dict(exception["ours"]) if exception else {}
    problems = [f"{what}: we have {ours}" for what, ours in found.items()
                if allowed.get(what) != ours]
    problems += [f"the exception for {what} is not needed" for what in allowed
                 if found.get(what) != allowed[what]]
    return problems


def main():
    """Print TAP."""
    sluice, exceptions_path = sys.argv[1:3]
    source = Path(os.environ.get("SLUICE_SOURCE_ROOT", "."))
    folder = Path(os.environ.get("SLUICE_CORPUS") or source / ".." / "shared" / "corpus") / "logs"
    if not (folder / "index.tsv").is_file():
        print(f"1..0 # SKIP no logs at {folder}: set SLUICE_CORPUS")
        return 0
    exceptions = json.loads(Path(exceptions_path).read_text())
    rows = read_rows(folder)
    failed = 0
    if "--list" not in sys.argv:
        print(f"1..{len(rows)}")
    for number, row in enumerate(rows, 1):
        report, problem = explain(sluice, folder / row["file"])
        if "--list" in sys.argv:
            found = differences(row, report) if report else problem
            if found:
                print(row["file"], json.dumps(found), row["event_line_counts"], sep="\t")
            continue
        problems = [problem] if problem else check(row, report, exceptions.get(row["file"]))
        print(f"{'not ok' if problems else 'ok'} {number} - {row['file']}")
        for line in problems:
            print(f"# {line}")
        failed += bool(problems)
    return 1 if failed else 0


sys.exit(main())
