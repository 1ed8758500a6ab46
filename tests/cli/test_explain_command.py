#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command from outside: exit statuses, options, colour, JSON against its schema, manual pages
and completion.

    test_explain_command.py SLUICE SOURCE_ROOT
"""

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FAULT = ("[    1.000000] DMAR: [DMA Write NO_PASID] Request device [1b:00.0] fault addr 0x5000 "
         "[fault reason 0x05] PTE Write access is not set\n")
MIXED = FAULT + (
    "[    0.100000] Linux version 6.9.9-invented (nobody@nowhere) #1\n"
    "[    0.200000] pci 0000:1b:00.0: [8086:1234] type 00 class 0x020000\n"
    "[    1.500000] DMAR: Intel(R) Virtualization Technology for Directed I/O\n"
    "[    2.000000] a 0000:1c:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 "
    "address=0xffffffffffffffff flags=0x0008]\n"
    "[    3.000000] hid 0000:1d:00.0: swiotlb buffer is full (sz: 4096 bytes), total 9 (slots), "
    "used 3 (slots)\n"
    "[    4.000000] DMAR: [Firmware Bug]: odd \x1b[31mred\x07 \xff name\n")

SLUICE, ROOT = sys.argv[1], Path(sys.argv[2])
checks = []


def run(*words, text="", env=None):
    """Run the command; text is bytes in latin-1, so that any byte can be in a log."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run([SLUICE, *words], input=text.encode("latin-1"), capture_output=True,
                          env=environment, timeout=30, check=False)


def check(name, good, detail=""):
    """One line of TAP."""
    checks.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(checks)} - {name}")
    if not good:
        for line in str(detail).splitlines()[:20]:
            print(f"#   {line}")


def on_terminal(env):
    """Output of the command on a pseudo terminal."""
    master, slave = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **env}
    with subprocess.Popen([SLUICE, "explain"], stdin=subprocess.PIPE, stdout=slave,
                          env=environment) as process:
        os.close(slave)
        process.stdin.write(FAULT.encode())
        process.stdin.close()
        output = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            output += piece
    os.close(master)
    return output


def check_statuses(folder):
    log = folder / "log"
    log.write_text(FAULT)
    check("nothing found gives 0", run("explain", text="usb 1-1: new\n").returncode == 0)
    check("empty input gives 0", run("explain").returncode == 0)
    check("a problem gives 1", run("explain", text=FAULT).returncode == 1)
    check("a file works", run("explain", str(log)).returncode == 1)
    check("- is standard input", run("explain", "-", text=FAULT).returncode == 1)
    done = run("explain", str(folder / "none"))
    check("no such file gives 2 and says which",
          done.returncode == 2 and b"none: No such file" in done.stderr, done)
    check("a directory gives 2", run("explain", str(folder)).returncode == 2)
    for words in (["explain", "--nonsense"], ["explain", "a", "b"], ["nonsense"], [],
                  ["explain", "--colour=blue"], ["explain", "--follow", str(log)]):
        check(f"{' '.join(words[:3]) or 'no command'} gives 2", run(*words).returncode == 2)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SLUICE, "explain", str(log)], stdout=full, stderr=subprocess.PIPE,
                              check=False)
    check("a full disk gives 2", done.returncode == 2, done)


def check_tables(folder):
    """Reserved regions of a table given with --acpi."""
    table = bytearray(48 + 24)
    table[0:4] = b"DMAR"
    table[4:8] = len(table).to_bytes(4, "little")
    table[48:52] = bytes([1, 0, 24, 0])
    table[56:64] = (0x5000).to_bytes(8, "little")
    table[64:72] = (0x5fff).to_bytes(8, "little")
    (folder / "DMAR").write_bytes(table)
    (folder / "FACP").write_bytes(b"FACP" + bytes(60))
    words = "inside 0x5000-0x5fff"
    flat = " ".join(run("explain", f"--acpi={folder}", text=FAULT).stdout.decode().split())
    check("--acpi finds the address in a reserved region", words in flat, flat)
    check("without it, it does not", words not in run("explain", text=FAULT).stdout.decode())
    (folder / "DMAR").unlink()
    check("no table there gives 2", run("explain", f"--acpi={folder}", text=FAULT).returncode == 2)
    check("no such folder gives 2",
          run("explain", f"--acpi={folder}/none", text=FAULT).returncode == 2)


def check_help():
    version = run("--version").stdout
    check("--version", re.fullmatch(rb"sluice \d+\.\d+\.\d+\n", version), version)
    check("explain --version is the same", run("explain", "--version").stdout == version)
    check("--help lists the command", b"explain" in run("--help").stdout)
    text = run("explain", "--help").stdout.decode()
    check("explain --help names itself and its statuses",
          "sluice explain" in text and "Exit status" in text, text)
    options = set(re.findall(r"--[a-z-]+", text)) - {"--help", "--usage", "--version"}
    manual = (ROOT / "docs/man/sluice-explain.1").read_text().replace("\\-", "-")
    bash = (ROOT / "cli/completion/sluice.bash").read_text()
    zsh = (ROOT / "cli/completion/_sluice").read_text()
    for option in sorted(options):
        check(f"{option} is in the manual page", option in manual)
        check(f"{option} is completed by bash and zsh", option in bash and option in zsh)


def check_colour():
    check("no colour into a pipe", b"\x1b" not in run("explain", text=FAULT).stdout)
    check("--colour=always", b"\x1b[" in run("explain", "--colour=always", text=FAULT).stdout)
    try:
        check("colour on a terminal", b"\x1b[" in on_terminal({}))
        check("NO_COLOR is honoured", b"\x1b" not in on_terminal({"NO_COLOR": "1"}))
        check("an empty NO_COLOR is none", b"\x1b[" in on_terminal({"NO_COLOR": ""}))
    except OSError as error:
        check(f"colour on a terminal # SKIP no pseudo terminal here: {error}", True)
    text = run("explain", text=MIXED).stdout
    check("a log cannot drive the terminal", b"\x1b" not in text and b"\x07" not in text
          and b"\\x1b[31m" in text and b"\\xff" in text, text)


def check_text():
    text = run("explain", text=MIXED).stdout.decode()
    for words in ("4 distinct problems, Linux 6.9.9-invented", "Intel VT-d translates.",
                  "0000:1b:00.0 Intel Corporation", "Reason 05h", "What to do"):
        check(f"the text says {words!r}", words in text, text)
    brief = run("explain", "--brief", text=MIXED).stdout.decode()
    check("--brief leaves out advice", "What to do" not in brief and "Reason 05h" in brief)


def check_json():
    done = run("explain", "--json", text=MIXED)
    report = json.loads(done.stdout)
    check("JSON for programs, status 1", done.returncode == 1 and len(report["problems"]) == 4)
    write = next(p for p in report["problems"] if p["kind"] == "intel-dma-fault")
    check("its values", write["device"]["id"] == "0000:1b:00.0" and write["count"] == 1
          and write["values"]["reason"] == "0x5" and write["values"]["access"] == "write"
          and write["addresses"]["first"] == "0x5000"
          and write["first"] == {"text": "1.000000", "seconds_since_boot": 1.0}, write)
    check("messages by format", report["messages"].get("intel-dma-fault-nopasid") == 1)
    check("what is on", "on-intel" in report["boot"])
    schema = json.loads((ROOT / "docs/explain.schema.json").read_text())
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        check("schema # SKIP python3-jsonschema is not installed", True)
        return
    for name, text in (("mixed", MIXED), ("empty", "")):
        errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(
            json.loads(run("explain", "--json", text=text).stdout))]
        check(f"the {name} report follows the schema", not errors, "\n".join(errors))


def check_explanations(folder):
    own = folder / "own.txt"
    own.write_text("[intel-dma-fault]\ntitle: Mine\ndo: nothing\n")
    text = run("explain", f"--explanations={own}", text=FAULT).stdout.decode()
    check("--explanations replaces the texts", "1. Mine" in text and "- nothing" in text, text)
    own.write_text("[intel-dma-fault]\nbroken\n")
    done = run("explain", f"--explanations={own}", text=FAULT)
    check("a bad file gives 2 and the line", done.returncode == 2 and b"line 2" in done.stderr,
          done)


def main():
    with tempfile.TemporaryDirectory() as name:
        check_statuses(Path(name))
        check_explanations(Path(name))
    with tempfile.TemporaryDirectory() as name:
        check_tables(Path(name))
    check_help()
    check_colour()
    check_text()
    check_json()
    print(f"1..{len(checks)}")
    return 0 if all(checks) else 1


sys.exit(main())
