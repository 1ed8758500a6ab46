# SPDX-License-Identifier: MIT
"""What tools/machine says of its runs: for people, as TAP and as JSON."""

import json
import string

FAILURES_SHOWN = 12  # a shape; all of them are in --json and --tap


class Output:
    """What goes to people, and when."""

    def __init__(self, mode, colour):
        self.mode, self.colour = mode, colour

    def story(self, line):
        if self.mode == "story":
            print(line, flush=True)

    def note(self, line):
        if self.mode != "json":
            print(("# " if self.mode == "tap" else "") + line, flush=True)


def paint(output, verdict, text):
    if output.colour and output.mode not in ("json", "tap"):
        code = {"passed": 32, "failed": 31, "skipped": 33}[verdict]
        return f"\033[{code}m{text}\033[0m"
    return text


def print_result(run, output):
    counts = run.counts()
    line = (f"{run.verdict:8} {run.shape.name():42} {counts['passed']:3} passed "
            f"{counts['failed']:3} failed {counts['skipped']:3} skipped {run.seconds:6.1f} s")
    print(paint(output, run.verdict, line), flush=True)
    if run.verdict == "skipped":
        print(f"         not run: {run.reason}")
    elif run.verdict == "failed":
        print(f"         because: {run.reason}")
        for check in run.failed_checks[:FAILURES_SHOWN]:
            print(f"         {check['scenario']}: {check['text']}")
        if len(run.failed_checks) > FAILURES_SHOWN:
            print(f"         and {len(run.failed_checks) - FAILURES_SHOWN} more")
        if run.summary is None:
            told = [] if output.mode == "story" else run.console[-12:]
            for line in told + run.complaints[-4:]:
                print("         | " + line)


def column_name(index):
    """A, B, ... Z, a, ... z, 0, ... 9, then two letters: there is a name for every shape."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits
    if index < len(letters):
        return letters[index]
    index -= len(letters)
    return string.ascii_uppercase[index // 26] + string.ascii_lowercase[index % 26]


def in_columns(cells, shapes):
    """The cells beside each other, with a bar between machines."""
    line = ""
    for number, (cell, run) in enumerate(zip(cells, shapes)):
        if number > 0 and machine_of(run) != machine_of(shapes[number - 1]):
            line += " |"
        line += " " + cell
    return line


def machine_of(run):
    return run.shape.qemu, run.shape.arch.name


def print_skipped(shapes):
    """Each reason once, with the scenarios that it keeps from running and on how many shapes."""
    reasons = {}
    for run in shapes:
        for scenario in run.scenarios:
            if scenario["verdict"] == "skipped":
                reasons.setdefault(scenario["reason"], []).append(scenario["name"])
    if reasons:
        print("\nSkipped, and why")
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"  {len(names):4} x {reason}")
        print("         " + ", ".join(sorted(set(names))))


def print_matrix(runs):
    """Scenarios down, shapes across."""
    shapes = [r for r in runs if r.scenarios]
    names = []
    for run in shapes:
        names += [s["name"] for s in run.scenarios if s["name"] not in names]
    if len(shapes) < 2:
        return
    columns = [column_name(number) for number in range(len(shapes))]
    width = max(len(column) for column in columns)
    for number, (column, run) in enumerate(zip(columns, shapes)):
        if number == 0 or machine_of(run) != machine_of(shapes[number - 1]):
            print(f"\nQEMU {run.shape.qemu}, {run.shape.arch.name}")
        counts = run.counts()
        print(f"  {column:{width}} {run.shape.key():36} {run.verdict:8} {counts['passed']:3} passed "
              f"{counts['failed']:2} failed {counts['skipped']:2} skipped")
    print("\nScenario by shape (. passed, F failed, s skipped, blank not part of it)")
    for row in range(width):  # names of two letters are written downwards
        print(" " * 20 + in_columns([column.ljust(width)[row] for column in columns], shapes))
    marks = {"passed": ".", "failed": "F", "skipped": "s"}
    for name in names:
        verdicts = [[s["verdict"] for s in run.scenarios if s["name"] == name] for run in shapes]
        cells = [marks[found[0]] if found else " " for found in verdicts]
        print((f"  {name:18}" + in_columns(cells, shapes)).rstrip())
    print_skipped(shapes)


def tap_lines(runs):
    number = 0
    for run in runs:
        if run.verdict == "skipped":
            number += 1
            yield f"ok {number} - {run.shape.name()} # SKIP {run.reason}"
            continue
        for scenario in run.scenarios:
            number += 1
            ok = "not ok" if scenario["verdict"] == "failed" else "ok"
            skipped = f" # SKIP {scenario['reason']}" if scenario["verdict"] == "skipped" else ""
            yield f"{ok} {number} - {run.shape.name()}: {scenario['name']}{skipped}"
            for check in run.failed_checks:
                if check["scenario"] == scenario["name"]:
                    yield f"# {check['text']}"
        if run.verdict == "failed" and not any(s["verdict"] == "failed" for s in run.scenarios):
            number += 1
            yield f"not ok {number} - {run.shape.name()}: {run.reason}"
    yield f"1..{number}"


def report(runs, output):
    if output.mode == "json":
        print(json.dumps({"runs": [r.as_json() for r in runs]}, indent=1))
    elif output.mode == "tap":
        for line in tap_lines(runs):
            print(line)
    else:
        print_matrix(runs)
        verdicts = [r.verdict for r in runs]
        print(f"\n{verdicts.count('passed')} shapes passed, {verdicts.count('failed')} failed, "
              f"{verdicts.count('skipped')} not run")
