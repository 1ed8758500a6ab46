#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`sluice devicetree` from outside: what it reads, exit statuses, text, JSON against its schema.

    test_devicetree_command.py SLUICE TREE_BUILD SOURCE_ROOT
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SLUICE, TREE_BUILD, ROOT = sys.argv[1], sys.argv[2], Path(sys.argv[3])
checks = []


def run(*words, data=b""):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run([SLUICE, "devicetree", *map(str, words)], input=data,
                          capture_output=True, env=environment, timeout=30, check=False)


def check(name, good, detail=""):
    """One line of TAP."""
    checks.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(checks)} - {name}")
    if not good:
        for line in str(detail).splitlines()[:20]:
            print(f"#   {line}")


def build(name):
    return subprocess.run([TREE_BUILD, name], capture_output=True, check=True).stdout


def check_inputs(folder):
    board, riscv = folder / "board.dtb", folder / "riscv.dtb"
    board.write_bytes(build("board"))
    riscv.write_bytes(build("riscv"))
    done = run(board, riscv)
    check("files", done.returncode == 0 and b"Test board" in done.stdout and
          b"RISC-V board" in done.stdout, done)
    done = run("-", data=build("riscv"))
    check("standard input", done.returncode == 0 and b"standard input: " in done.stdout, done)
    done = run(folder / "none")
    check("a missing file", done.returncode == 2 and b"No such file" in done.stderr, done)
    done = run(board, folder / "none")
    check("what can be shown is shown all the same", done.returncode == 2 and
          b"/soc/iommu@9050000" in done.stdout, done)
    done = run(folder)
    check("a directory", done.returncode == 2 and b"directory" in done.stderr, done)
    for data, words in ((b"", b"shorter than a header"), (b"\0" * 4096, b"does not begin as"),
                        (build("board")[:500], b"no devicetree")):
        done = run("-", data=data)
        check(f"no devicetree, {len(data)} bytes", done.returncode == 2 and words in done.stderr,
              done)
    done = run("--lint", "--colour=always", board)
    check("colour", done.returncode == 0 and b"\x1b[1m" in done.stdout, done)
    done = run("--colour=perhaps", board)
    check("a wrong option", done.returncode == 2 and b"--colour takes" in done.stderr, done)


def check_text():
    text = run("-", data=build("board")).stdout.decode()
    for words in ("/soc/iommu@9050000  SMMUv3, \"arm,smmu-v3\"",
                  "registers at 0x109050000 (128 KiB), coherent",
                  "interrupts eventq 106, priq 107, cmdq-sync 108, gerror 109",
                  "has ID 0x300 at /soc/iommu@9050000",
                  "has IDs under mask 0x803, ID 0x410 at /soc/iommu@c000000",
                  "DMA addresses of 30 bits",
                  "segment 0001, buses 00 to 1f, coherent",
                  "08:00.0 to 1f:1f.7 have ID 0x4000-0x57ff at /soc/iommu@9050000",
                  "PCI function 0002:00:01.0",
                  "memory 0x80000000-0x807fffff (8 MiB)",
                  "at 0x80000000-0x807fffff for /soc/ethernet@a000000"):
        check(f"text: {words}", words in text, text)


def check_statuses():
    check("right, with --lint: 0", run("--lint", "-", data=build("board")).returncode == 0)
    done = run("-", data=build("broken"))
    check("what cannot be read is said without --lint", done.returncode == 1 and
          b"malformed: \"iommus\" leads to no node" in done.stdout and
          b"malformed: \"reg\" is no whole number" in done.stdout, done)
    done = run("--lint", "-", data=build("broken"))
    check("findings: 1, with rule, place and advice", done.returncode == 1 and
          b"/soc/ethernet@a000000 \"iommus\"  error [reference-broken]: specifier 0 leads to no "
          b"node" in done.stdout and b"are behind no known IOMMU" in done.stdout, done)
    done = run("--rules")
    check("--rules", done.returncode == 0 and b"map-overlap" in done.stdout
          and done.stdout.count(b"\n") > 40, done)


def check_json():
    schema = json.loads((ROOT / "docs/devicetree.schema.json").read_text())
    reports = {name: json.loads(run("--json", "--lint", "-", data=build(name)).stdout)
               for name in ("board", "riscv", "broken")}
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
        validator = jsonschema.Draft202012Validator(schema)
        for name, report in reports.items():
            errors = [f"{list(error.path)}: {error.message[:300]}"
                      for error in validator.iter_errors(report)]
            check(f"{name} follows the schema", not errors, "\n".join(errors))
    except ImportError:
        check("schema # SKIP python3-jsonschema is not installed", True)
    nodes = {node["path"]: node for node in reports["board"]["trees"][0]["nodes"]}
    smmu = nodes["/soc/iommu@9050000"]
    check("a unit", smmu["unit"]["kind"] == "SMMUv3" and smmu["registers"] == "0x109050000" and
          [each["number"] for each in smmu["unit"]["interrupts"]] == [106, 107, 108, 109], smmu)
    check("a map", nodes["/pcie@10000000"]["map"]["entries"][1] ==
          {"first": 0x800, "count": 0x1800, "id": 0x4000, "unit": "/soc/iommu@9050000"}, nodes)
    check("a device", nodes["/soc/dma@b000000"]["iommus"] ==
          [{"unit": "/soc/iommu@c000000", "id": 0x410, "mask": 0x803}], nodes)
    broken = reports["broken"]["trees"][0]
    check("errors", {(each["path"], each["property"]) for each in broken["errors"]} ==
          {("/soc/iommu@9050000", "reg"), ("/soc/ethernet@a000000", "iommus")}, broken["errors"])
    check("findings", {"malformed", "reference-broken"} <=
          {each["rule"] for each in broken["findings"]}, broken["findings"])


def check_hostile_names():
    """Bytes of a tree do not reach the terminal as control sequences."""
    done = run("-", data=build("board").replace(b"Test board", b"\x1b[31m\xd2 ord"))
    check("control characters are shown escaped", b"\x1b" not in done.stdout and
          b"\\x1b[31m\\xd2" in done.stdout, done)
    done = run("--json", "-", data=build("board").replace(b"Test board", b"\x1b[31m\xd2 ord"))
    check("and are no error in JSON", "\ufffd" in json.loads(done.stdout)["trees"][0]["model"],
          done)


def check_own():
    if Path("/sys/firmware/fdt").exists():
        print("# this machine has a devicetree")
        return
    done = run()
    check("a machine without a devicetree says so", done.returncode == 2 and
          b"this machine has no devicetree" in done.stderr, done)


def main():
    with tempfile.TemporaryDirectory() as name:
        check_inputs(Path(name))
    for part in (check_text, check_statuses, check_json, check_hostile_names, check_own):
        part()
    print(f"1..{len(checks)}")
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
