#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every field of every real table is what an independent parser read, and what is wrong with the
tables is found exactly where it found it.

    corpus_acpi.py SLUICE

The tables are not part of this project: SLUICE_CORPUS names their folder (default: ../shared/corpus
beside the sources); without it the test is skipped and says so.
"""

import collections
import json
import os
import subprocess
import sys
import time
from pathlib import Path

# What the corpus calls a finding -> our rule. Those that begin with "info:" must not be more than
# information here.
RULES = {
    "rmrr_base_zero": "region-base-zero",
    "drhd_base_zero": "unit-base-zero",
    "intr_remap_without_hpet_scope": "hpet-missing",
    "ivmd_unaligned": "region-unaligned",
    "info:drhd_size_field_nonzero": "unit-size-nonzero",
    "info:x2apic_opt_out_without_intr_remap": "x2apic-opt-out-alone",
    "info:parse_struct_unknown": "structure-unknown",
}
ENTRY_NAMES = {"SOR": "range", "EOR": "range-end", "SEL": "select", "PAD4": "pad4",
               "ALIAS_SOR": "alias-range", "SPECIAL": "special", "ACPI_HID": "acpi-device"}
checks = []


def check(name, problems):
    """One line of TAP, with what differs."""
    checks.append(not problems)
    print(f"{'not ok' if problems else 'ok'} {len(checks)} - {name}")
    for problem in problems[:20]:
        print(f"#   {problem}")


def scope(fact):
    kind = {"namespace": "acpi"}.get(fact["kind"], fact["kind"])
    return {"type": fact["type"], "kind": kind, "offset": fact["off"],
            "flags": fact["flags"], "reserved": fact["reserved"],
            "enumeration_id": fact["enum_id"], "start_bus": fact["bus"], "path": fact["path"]}


def dmar_structure(fact):
    """A fact as our schema says it."""
    want = {"type": fact["type"], "name": fact["name"], "offset": fact["off"],
            "length": fact["length"]}
    for theirs, ours in (("flags", "flags"), ("segment", "segment"), ("base", "base"),
                         ("limit", "last"), ("size_raw", "size"), ("proximity", "proximity"),
                         ("device", "device"), ("object", "object")):
        if theirs in fact:
            want[ours] = fact[theirs]
    if "reserved" in fact:
        reserved = fact["reserved"]
        want["reserved"] = int.from_bytes(bytes.fromhex(reserved), "little") \
            if isinstance(reserved, str) else reserved
    if "scopes" in fact:
        want["scopes"] = [scope(each) for each in fact["scopes"]]
    return want


def ivrs_entry(fact):
    want = {"type": fact["type"], "name": ENTRY_NAMES[fact["name"]], "offset": fact["off"],
            "device": fact["devid"], "settings": fact["dte"]}
    for theirs, ours in (("source", "source"), ("res", "reserved"), ("handle", "handle"),
                         ("variety", "variety"), ("variety_name", "kind"), ("hid", "hid"),
                         ("cid", "cid"), ("uid_format", "uid_format"), ("uid", "uid")):
        if theirs in fact:
            want[ours] = fact[theirs]
    return want


def ivrs_structure(fact):
    known = not fact["name"].startswith("TYPE")
    want = {"type": fact["type"], "name": fact["name"] if known else "unknown",
            "offset": fact["off"], "length": fact["length"], "flags": fact["flags"]}
    for theirs, ours in (("devid", "device"), ("cap_off", "capability_offset"), ("base", "base"),
                         ("segment", "segment"), ("info", "info"), ("feature", "features"),
                         ("attributes", "attributes"), ("efr", "efr"), ("efr2", "efr2"),
                         ("aux", "aux"), ("start", "base"), ("len", "bytes")):
        if theirs in fact:
            want[ours] = fact[theirs]
    if "reserved" in fact:
        want["reserved"] = hex(int.from_bytes(bytes.fromhex(fact["reserved"]), "little"))
    if "entries" in fact:
        want["entries"] = [ivrs_entry(each) for each in fact["entries"]]
    return want


def table(fact):
    want = {"signature": fact["sig"], "file_length": fact["file_length"],
            "length": fact["length"], "revision": fact["revision"], "checksum": fact["checksum"],
            "checksum_right": fact["sum_ok"], "oem_id": fact["oem_id"],
            "oem_table_id": fact["oem_table_id"], "oem_revision": fact["oem_rev"],
            "creator_id": fact["creator"], "creator_revision": fact["creator_rev"],
            "reserved_zero": fact["reserved_zero"]}
    if fact["sig"] == "DMAR":
        want.update(host_address_width=fact["host_address_width"], flags=fact["flags"],
                    structures=[dmar_structure(each) for each in fact["structs"]])
    else:
        want.update(ivinfo=fact["ivinfo"], efr_supported=bool(fact["efr_sup"]),
                    dma_remapping=bool(fact["dma_remap_sup"]),
                    ht_ats_reserved=bool(fact["ht_ats_resv"]),
                    guest_address_size=fact["gva_size"], physical_address_bits=fact["pa_size"],
                    virtual_address_bits=fact["va_size"],
                    structures=[ivrs_structure(each) for each in fact["structs"]])
    return want


def differences(want, have, where=""):
    """What the facts have and we have otherwise; counts the fields it looked at."""
    if isinstance(want, dict):
        count, found = 0, []
        for key, value in want.items():
            more, problems = differences(value, have.get(key), f"{where}.{key}")
            count, found = count + more, found + problems
        return count, found
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        count, found = 0, []
        for number, (value, other) in enumerate(zip(want, have)):
            more, problems = differences(value, other, f"{where}[{number}]")
            count, found = count + more, found + problems
        return count, found
    return 1, [] if want == have else [f"{where}: facts say {want}, we say {have}"]


def findings(fact, have):
    """Differences between the oracle's findings and ours."""
    want = collections.Counter(RULES.get(each["kind"], each["kind"]) for each in fact["findings"])
    quiet = {RULES[each["kind"]] for each in fact["findings"]
             if each["kind"].startswith("info:")}
    loud = collections.Counter(each["rule"] for each in have["findings"]
                               if each["severity"] != "info")
    every = collections.Counter(each["rule"] for each in have["findings"])
    problems = [f"{rule}: facts have {want[rule]}, we have {every[rule]}"
                for rule in want if every[rule] != want[rule]]
    problems += [f"{rule}: we complain, the facts do not" for rule in loud if rule not in want]
    problems += [f"{rule}: is only information" for rule in loud if rule in quiet]
    return problems


def main():
    default = Path(os.environ["SLUICE_SOURCE_ROOT"]) / ".." / "shared" / "corpus"
    folder = Path(os.environ.get("SLUICE_CORPUS") or default) / "acpi"
    if not (folder / "facts.jsonl").is_file():
        print(f"1..0 # SKIP no tables at {folder}: set SLUICE_CORPUS")
        return 0
    begin = time.monotonic()
    done = subprocess.run([sys.argv[1], "acpi", "--json", "--lint", folder], capture_output=True,
                          timeout=60, check=False)
    seconds = time.monotonic() - begin
    have = {Path(each["file"]).name: each for each in json.loads(done.stdout)["tables"]}
    facts = [json.loads(line) for line in (folder / "facts.jsonl").read_text().splitlines()]
    fields = 0
    for fact in facts:
        ours = have.pop(fact["file"], None)
        if ours is None:
            check(fact["file"], ["it was not read"])
            continue
        count, problems = differences(table(fact), ours)
        fields += count
        check(fact["file"], problems + ours["errors"] + findings(fact, ours))
    check("no table without facts", sorted(have))
    check("there were facts", [] if fields > 5000 else [f"only {fields} fields"])
    print(f"# {fields} fields of {len(facts)} tables in {seconds:.2f} s")
    check("exit status: findings", [] if done.returncode == 1 else [f"it is {done.returncode}"])
    print(f"1..{len(checks)}")
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
