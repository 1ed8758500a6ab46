# SPDX-License-Identifier: MIT
"""Test Anything Protocol: reading what tests print, and printing it.

Every check of the project speaks it, so that one counter serves all of them.
"""

import re
from dataclasses import dataclass, field

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

LINE = re.compile(r"^(?P<not>not )?ok\b(?:\s+(?P<number>\d+))?(?P<rest>.*)$")
DIRECTIVE = re.compile(r"(?:^|\s)#\s*(?P<word>SKIP|TODO)\b:?\s*(?P<reason>.*)$", re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(?P<count>\d+)(?:\s*#\s*SKIP\b:?\s*(?P<reason>.*))?$", re.IGNORECASE)


@dataclass
class Result:
    """One check: where it belongs, what came of it, and what it said."""

    name: str
    outcome: str
    output: list = field(default_factory=list)
    reason: str = ""


def parse(text, prefix=""):
    """The results in a TAP stream, and a list of what is wrong with the stream itself.

    cmocka prints a skipped test as "not ok N # SKIP name"; that counts as skipped. Lines between
    two results belong to the later one where they come from the test (cmocka prints messages
    first), and "#" lines after a result belong to that result; both are kept with both.
    """
    results, problems, pending = [], [], []
    planned = None
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan:
            if planned is not None:
                problems.append("two plans")
            planned = int(plan["count"])
            if planned == 0:
                results.append(Result(prefix + "(all)", SKIPPED, reason=plan["reason"] or ""))
            continue
        found = LINE.match(line)
        if not found:
            if line.startswith("Bail out!"):
                problems.append(line)
            elif results and line.startswith("#"):
                results[-1].output.append(line)
                pending.append(line)
            elif line.strip() and not line.startswith("TAP version"):
                pending.append(line)
            continue
        directive = DIRECTIVE.search(found["rest"])
        name = found["rest"][: directive.start()] if directive else found["rest"]
        name = name.strip().removeprefix("- ").strip()
        outcome, reason = (FAILED if found["not"] else PASSED), ""
        if directive and directive["word"].upper() == "SKIP":
            outcome, reason = SKIPPED, directive["reason"].strip()
            if not name:  # cmocka puts the name where the reason goes
                name, reason = reason.removeprefix("- "), " ".join(pending).lstrip("# ")
        elif directive:
            reason = "to do: " + directive["reason"].strip()
        results.append(Result(prefix + (name or str(len(results) + 1)), outcome, pending, reason))
        pending = []
    if planned is None:
        problems.append("no plan: the test ended early")
    elif planned != 0 and planned != len(results):
        problems.append(f"planned {planned} tests, saw {len(results)}")
    return results, problems


class Reporter:
    """Prints TAP for a check tool and knows how it ended."""

    def __init__(self):
        self.count = 0
        self.failures = 0

    def _line(self, word, name, tail=""):
        self.count += 1
        name = name.replace("#", "no.")
        print(f"{word} {self.count} - {name}{tail}", flush=True)

    def check(self, name, problems):
        """Passes when `problems` (lines) is empty; prints them otherwise."""
        problems = list(problems)
        if problems:
            self.failures += 1
        self._line("not ok" if problems else "ok", name)
        for problem in problems:
            for line in str(problem).splitlines():
                print(f"#   {line}", flush=True)

    def skip(self, name, reason):
        self._line("ok", name, f" # SKIP {reason}")

    def finish(self):
        """Prints the plan; returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failures or self.count == 0 else 0
