#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trees that QEMU makes: what we read of them is what dtc, and the machine's options, say.

    corpus_devicetree.py SLUICE

Two sources: the corpus (SLUICE_CORPUS, default ../shared/corpus beside the sources), whose dumps are
gzipped; and QEMU itself, asked with dumpdtb. What is not there is skipped, and said.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SLUICE = sys.argv[1]
ARM_PCIE, RISCV_PCI = "/pcie@10000000", "/soc/pci@30000000"
SMMU, VIOMMU = "/smmuv3@9050000", "/pcie@10000000/virtio_iommu@3,0"
RISCV_IOMMU = "/soc/iommu@3010000"
ALL = 0x10000
# What QEMU's sources have: [(first, count, id, unit)] of the host bridge, and the unit.
SMMU_FACTS = {"unit": (SMMU, "SMMUv3", "0x9050000", [106, 107, 108, 109], "yes"),
              "map": (ARM_PCIE, [(0, ALL, 0, SMMU)]), "quirks": set()}
VIOMMU_FACTS = {"unit": (VIOMMU, "virtio-iommu", None, [], "yes"),
                "map": (ARM_PCIE, [(0, 0x18, 0, VIOMMU), (0x19, 0xffe7, 0x19, VIOMMU)]),
                "quirks": set()}
# An empty entry, and the last function left out; PLIC specifiers with a cell too many.
RISCV_FACTS = {"unit": (RISCV_IOMMU, "RISC-V IOMMU", "0x3010000", [36, 37, 38, 39], "unknown"),
               "map": (RISCV_PCI, [(0, 0, 0, RISCV_IOMMU), (0, 0xffff, 0, RISCV_IOMMU)]),
               "quirks": {"map-empty"}}
PLIC_FACTS = dict(RISCV_FACTS, unit=(RISCV_IOMMU, "RISC-V IOMMU", "0x3010000",
                                     [36, 1, 37, 1, 38, 1, 39, 1], "unknown"),
                  quirks={"map-empty", "interrupts-too-many"})
NOTHING = {"unit": None, "map": None, "quirks": set()}
CORPUS = {
    "arm-smmu-dt-FDT.dtb.gz": SMMU_FACTS, "arm-smmu-dt-stage1-FDT.dtb.gz": SMMU_FACTS,
    "arm-smmu-dt-stage2-FDT.dtb.gz": SMMU_FACTS, "arm-smmu-dt-stagenested-FDT.dtb.gz": SMMU_FACTS,
    "arm-smmu-v82-s1-FDT.dtb.gz": SMMU_FACTS, "arm-smmu-v82-s2-FDT.dtb.gz": SMMU_FACTS,
    "arm-viommu-dt-FDT.dtb.gz": VIOMMU_FACTS, "arm-smmu-acpi-FDT.dtb.gz": NOTHING,
    "virt_iommu-sys_on.dtb.gz": PLIC_FACTS,
    "virt_aia_aplic-imsic_iommu-sys_on.dtb.gz": RISCV_FACTS,
}
QEMU = [
    ("qemu-system-aarch64", "virt,iommu=smmuv3", [], SMMU_FACTS),
    ("qemu-system-aarch64", "virt", [], NOTHING),
    ("qemu-system-riscv64", "virt,iommu-sys=on", [], PLIC_FACTS),
    ("qemu-system-riscv64", "virt,aia=aplic-imsic,iommu-sys=on", [], RISCV_FACTS),
]
count, failures = 0, 0


def check(name, problems):
    global count, failures
    count += 1
    failures += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}")
    for problem in problems[:20]:
        print(f"#   {problem}")


def skip(name, reason):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {reason}")


def read(blob):
    done = subprocess.run([SLUICE, "devicetree", "--json", "--lint", "-"], input=blob,
                          capture_output=True, timeout=30, check=False)
    if done.returncode == 2:
        return None, [done.stderr.decode()]
    return json.loads(done.stdout)["trees"][0], []


def differences(tree, facts):
    """What the facts have otherwise."""
    nodes = {node["path"]: node for node in tree["nodes"]}
    units = [path for path, node in nodes.items() if "unit" in node]
    problems = [f"error: {each}" for each in tree["errors"]]
    rules = {each["rule"] for each in tree["findings"] if each["severity"] != "info"}
    if rules != facts["quirks"]:
        problems.append(f"findings {sorted(rules)}, wanted {sorted(facts['quirks'])}")
    if facts["unit"] is None:
        return problems + [f"units {units}, and there is none" for _ in units[:1]]
    path, kind, registers, interrupts, coherent = facts["unit"]
    if units != [path]:
        return problems + [f"units {units}, wanted {path}"]
    unit = nodes[path]
    have = (unit["unit"]["kind"], unit["registers"],
            [each["number"] for each in unit["unit"]["interrupts"]], unit["coherent"])
    if have != (kind, registers, interrupts, coherent):
        problems.append(f"unit {have}, wanted {facts['unit']}")
    host, entries = facts["map"]
    have = [(each["first"], each["count"], each["id"], each["unit"])
            for each in nodes[host]["map"]["entries"]]
    return problems + ([] if have == entries else [f"map {have}, wanted {entries}"])


def by_dtc(blob, tree):
    """Another reader of the format: nodes with these properties, and how often."""
    done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-"], input=blob,
                          capture_output=True, timeout=60, check=True)
    text = done.stdout.decode()
    want = {name: len(re.findall(rf"^\s*{re.escape(name)}( = |;)", text, re.MULTILINE))
            for name in ("#iommu-cells", "iommu-map", "iommus")}
    have = {"#iommu-cells": sum("unit" in node for node in tree["nodes"]),
            "iommu-map": sum("map" in node for node in tree["nodes"]),
            "iommus": sum("iommus" in node for node in tree["nodes"])}
    return [] if want == have else [f"dtc sees {want}, we see {have}"]


def one(name, blob, facts):
    tree, problems = read(blob)
    if tree is not None:
        problems = differences(tree, facts)
        if shutil.which("dtc"):
            problems += by_dtc(blob, tree)
    check(name, problems)


def corpus():
    default = Path(os.environ["SLUICE_SOURCE_ROOT"]) / ".." / "shared" / "corpus"
    folder = Path(os.environ.get("SLUICE_CORPUS") or default) / "qemu"
    files = sorted(folder.glob("*.dtb.gz"))
    if not files:
        skip("corpus", f"no devicetrees at {folder}: set SLUICE_CORPUS")
    for path in files:
        if path.name in CORPUS:
            one(path.name, gzip.decompress(path.read_bytes()), CORPUS[path.name])
        else:
            tree, problems = read(gzip.decompress(path.read_bytes()))
            check(f"{path.name}, without facts", problems or [str(each) for each in tree["errors"]])


def qemu():
    for program, machine, words, facts in QEMU:
        name = f"{program} -M {machine}"
        if shutil.which(program) is None:
            skip(name, f"{program} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tree.dtb"
            done = subprocess.run([program, "-M", f"{machine},dumpdtb={path}", "-display", "none",
                                   "-nodefaults", *words], capture_output=True, timeout=60,
                                  check=False)
            if not path.exists():
                reason = " ".join(done.stderr.decode().split())[:120] or "it wrote none"
                skip(name, f"this QEMU does not have it: {reason}")
            else:
                one(name, path.read_bytes(), facts)


def main():
    corpus()
    qemu()
    print(f"1..{count}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
