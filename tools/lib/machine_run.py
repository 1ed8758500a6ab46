# SPDX-License-Identifier: MIT
"""One boot of the machine: what its kernel said and how it ended."""

import json

from lib import linux_groups

MARK = "@sluice "
EXIT_STATUS = {33: "passed", 35: "failed", 37: "crashed"}  # isa-debug-exit: (value << 1) | 1


class Run:
    """One boot: what the kernel said and how it ended."""

    def __init__(self, shape):
        self.shape, self.scenarios, self.failed_checks = shape, [], []
        self.groups = []
        self.verdict, self.reason, self.seconds = "skipped", "", 0.0
        self.complaints = []
        self.console, self.status, self.version, self.summary = [], None, None, None

    def take_line(self, line, output):
        if not line.startswith(MARK):
            self.console.append(line)
            output.story(line)
            return
        try:
            event = json.loads(line[len(MARK):])
        except ValueError:
            self.reason = "the kernel printed a line that is no JSON: " + line
            return
        if event["event"] == "scenario":
            self.scenarios.append(event)
        elif event["event"] == "check":
            self.failed_checks.append(event)
        elif event["event"] == "group":
            self.groups.append(event["members"])
        elif event["event"] == "summary":
            self.summary = event
        elif event["event"] in ("exception", "died"):
            self.reason = json.dumps(event)

    def compare_groups(self):
        """One more scenario, judged here: only this side has Linux's word."""
        wrong = linux_groups.unlike_linux(self.groups)
        self.scenarios.append({"event": "scenario", "name": "groups-as-linux", "reason": "",
                               "verdict": "failed" if wrong else "passed"})
        self.failed_checks += [{"event": "check", "scenario": "groups-as-linux", "text": text}
                               for text in wrong]

    def finish(self, status, timed_out, timeout):
        self.status = status
        if self.groups and "topology" in self.shape.words:
            self.compare_groups()
        failed = [s for s in self.scenarios if s["verdict"] == "failed"]
        if timed_out:
            self.verdict, self.reason = "failed", f"no end after {timeout} s"
        elif status not in EXIT_STATUS:
            self.verdict = "failed"
            self.reason = self.reason or f"QEMU ended with status {status}"
        elif EXIT_STATUS[status] != "passed" or failed or self.reason or self.summary is None:
            self.verdict = "failed"
            if failed and not self.reason:
                self.reason = ", ".join(s["name"] for s in failed)
            self.reason = self.reason or f"the kernel {EXIT_STATUS[status]}"
        else:
            self.verdict = "passed"

    def counts(self):
        verdicts = [s["verdict"] for s in self.scenarios]
        return {v: verdicts.count(v) for v in ("passed", "failed", "skipped")}

    def as_json(self):
        return {"shape": self.shape.name(), "arch": self.shape.arch.name, "qemu": self.version, "iommu": self.shape.iommu,
                "verdict": self.verdict, "reason": self.reason,
                "seconds": round(self.seconds, 2), "exit_status": self.status,
                "scenarios": self.scenarios, "failed_checks": self.failed_checks}
