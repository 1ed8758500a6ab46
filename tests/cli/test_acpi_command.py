#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`sluice acpi` from outside: what it reads, exit statuses, JSON against its schema, the linter.

    test_acpi_command.py SLUICE TABLE_BUILD SOURCE_ROOT
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SLUICE, TABLE_BUILD, ROOT = sys.argv[1], sys.argv[2], Path(sys.argv[3])
TEXTS = ROOT / "tests/tables/texts"
checks = []


def run(*words, data=b"", env=None):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run([SLUICE, "acpi", *map(str, words)], input=data, capture_output=True,
                          env=environment, timeout=30, check=False)


def check(name, good, detail=""):
    """One line of TAP."""
    checks.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(checks)} - {name}")
    if not good:
        for line in str(detail).splitlines()[:20]:
            print(f"#   {line}")


def build(name, change=""):
    text = (TEXTS / f"{name}.txt").read_text() + change
    return subprocess.run([TABLE_BUILD], input=text.encode(), capture_output=True, check=True).stdout


def dump(name, table):
    """As acpidump prints it."""
    lines = [f"{name} @ 0x000000007B7A6000"]
    for at in range(0, len(table), 16):
        piece = table[at:at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"    {at:04X}: {' '.join(f'{byte:02X}' for byte in piece):48} {text}")
    return "\n".join([*lines, "", ""]).encode()


def check_inputs(folder):
    dmar, ivrs, mcfg = build("dmar"), build("ivrs"), build("mcfg")
    (folder / "DMAR").write_bytes(dmar)
    (folder / "IVRS").write_bytes(ivrs)
    (folder / "FACP").write_bytes(b"FACP" + dmar[4:])
    (folder / "notes.txt").write_text("nothing\n")
    done = run(folder / "DMAR", folder / "IVRS")
    check("files", done.returncode == 0 and done.stdout.count(b"checksum right") == 2, done)
    done = run(folder)
    check("a directory; others are passed over", done.returncode == 0 and
          b"2 other files" in done.stdout and done.stdout.count(b"checksum right") == 2, done)
    for words in ((), ("-",)):
        done = run("-", *words[1:], data=ivrs)
        check("standard input", done.returncode == 0 and b"IOAPIC 33 as 00:14.0" in done.stdout,
              done)
    text = dump("FACP", b"FACP" + dmar[4:]) + dump("DMAR", dmar) + dump("MCFG", mcfg)
    done = run("-", data=text)
    check("the text of acpidump", done.returncode == 0 and
          b"bridge and all below it 03:1c.1/04.5" in done.stdout and
          b"buses 10 to 1f" in done.stdout and b"(1 other" in done.stdout, done)
    check("a dump and the table say the same",
          json.loads(run("--json", "-", data=dump("DMAR", dmar)).stdout)["tables"][0]["structures"]
          == json.loads(run("--json", folder / "DMAR").stdout)["tables"][0]["structures"])
    done = run("-", data=text.replace(b"    0010:", b"    0020:", 2))
    check("a dump with a gap is an error", done.returncode == 2 and b"DMAR: no ACPI table" in done.stderr, done)
    done = run(folder / "none")
    check("a missing file", done.returncode == 2 and b"No such file" in done.stderr, done)
    done = run("-", data=b"")
    check("nothing at all", done.returncode == 2 and b"no ACPI table" in done.stderr, done)
    done = run("-", data=dmar[:60])
    check("cut off", done.returncode == 2 and b"truncated" in done.stderr, done)
    empty = folder / "empty"
    empty.mkdir()
    done = run(empty)
    check("an empty directory", done.returncode == 2 and b"there is no table" in done.stderr, done)


def check_statuses(folder):
    right, wrong = folder / "right", folder / "wrong"
    right.write_bytes(build("ivrs"))
    check("right, with --lint: 0", run("--lint", right).returncode == 0)
    wrong.write_bytes(build("ivrs", "set ivmd.bytes 1\n"))
    done = run("--lint", wrong)
    check("a warning: 1, with rule and advice", done.returncode == 1 and
          b"warning [region-unaligned]" in done.stdout and b"Whole pages" in done.stdout, done)
    check("not without --lint", run(wrong).returncode == 0)
    wrong.write_bytes(build("dmar", "set scope.length 0\n"))
    done = run(wrong)
    check("what cannot be read is said without --lint", done.returncode == 1 and
          b"malformed: device scope's length" in done.stdout and b"RHSA" in done.stdout, done)
    wrong.write_bytes(build("dmar", "set drhd#1.flags 0\nset drhd.size 0\nset table.checksum 3\n"))
    done = run("--lint", wrong)
    check("the checksum", b"[checksum]" in done.stdout and done.returncode == 1, done)
    done = run("--rules")
    check("--rules", done.returncode == 0 and b"region-unaligned" in done.stdout
          and done.stdout.count(b"\n") > 40, done)


def check_json(folder):
    schema = json.loads((ROOT / "docs/acpi.schema.json").read_text())
    table = folder / "table"
    changes = {"dmar": ["", "set scope.length 0\n", "set scope.type 9\nset andd.length 9\n",
                        "begin x\n u16 200\n len16 l\nend\n"],
               "ivrs": ["", "set ivmd.length 3\n",
                        "set ivmd.type 0x51\nset special.variety 7\n"], "mcfg": ["", "pad 3\n"],
               "iort": ["", "set rmr.length 8\n", "set pmcg.type 9\nset its.items 9\n"],
               "rimt": ["", "set iommu.wires 9\n", "set device.type 7\n"],
               "viot": ["", "set endpoint.type 7\n"]}
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
        validator = jsonschema.Draft202012Validator(schema)
    except ImportError:
        check("schema # SKIP python3-jsonschema is not installed", True)
        validator = None
    for name, each in changes.items():
        for change in each:
            table.write_bytes(build(name, change))
            report = json.loads(run("--json", "--lint", table).stdout)
            if validator is not None:
                errors = [error.message[:300] for error in validator.iter_errors(report)]
                check(f"{name} {change.strip()!r} follows the schema", not errors,
                      "\n".join(errors))
    table.write_bytes(build("ivrs", "set ivmd.bytes 1\n"))
    finding = json.loads(run("--json", "--lint", table).stdout)["tables"][0]["findings"]
    check("a finding", [each["rule"] for each in finding] == ["region-unaligned"] and
          finding[0]["severity"] == "warning" and finding[0]["offset"] == 0xe3 + 16, finding)


def check_hostile_names(folder):
    """Bytes of a table do not reach the terminal as control sequences."""
    table = bytearray(build("ivrs"))
    table[10:16] = b"\x1b[31m\xd2"
    path = folder / "hostile"
    path.write_bytes(table)
    done = run(path)
    check("control characters are shown escaped", b"\x1b" not in done.stdout and
          b"\\x1b[31m" in done.stdout, done)
    report = json.loads(run("--json", path).stdout)
    check("no byte is lost in JSON", report["tables"][0]["oem_id"] == "\x1b[31m\u00d2", report)


def check_own():
    if Path("/sys/firmware/acpi/tables/DMAR").exists():
        print("# this machine has a DMAR")
        return
    done = run()
    check("a machine without tables says so", done.returncode in (0, 2) and
          (b"no table about IOMMUs" in done.stderr or b"root" in done.stderr), done)


def main():
    for part in (check_inputs, check_statuses, check_json, check_hostile_names):
        with tempfile.TemporaryDirectory() as name:
            part(Path(name))
    check_own()
    print(f"1..{len(checks)}")
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
