# SPDX-License-Identifier: MIT
"""A breakage on purpose, and where all of them are listed: tools/breakages, a file a folder of src/.
"""

import importlib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Breakage:
    name: str
    invariant: str
    source: str
    before: str
    after: str
    # Of tests/unit or, said before "/", another folder; said after "@", on that kind of unit.
    tests: list = field(default_factory=list)
    scenarios: list = field(default_factory=list)  # of machines/
    shape: str = "intel-48-queued"
    quick: bool = False
    more: list = field(default_factory=list)  # (source, before, after) that go with it


def every():
    """The rows of every file, in the order of the files' names."""
    folder = Path(__file__).resolve().parent.parent / "breakages"
    rows = []
    for path in sorted(folder.glob("*.py")):
        rows += importlib.import_module(f"breakages.{path.stem}").ROWS
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two breakages of one name: {', '.join(twice)}")
    return rows
