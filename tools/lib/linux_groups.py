# SPDX-License-Identifier: MIT
"""A machine of many bridges, and the isolation groups that Linux sees on it (tools/record-groups)."""

import json

from lib import tree

TOPOLOGY = tree.TOP / "tests" / "machines" / "groups-q35.json"


def topology():
    with open(TOPOLOGY, encoding="utf-8") as file:
        return json.load(file)


def united(groups, joined):
    """The partition with every group that has one of `joined` made one."""
    one = {member for group in groups if set(group) & set(joined) for member in group}
    return {frozenset(group) for group in groups if not set(group) & one} | {frozenset(one)}


def unlike_linux(groups):
    """What of the library's groups is not as Linux's on the same machine, explained ones aside."""
    recorded = topology()
    expected = {frozenset(group) for group in recorded["linux"]["groups"]}
    for difference in recorded["differences"]:
        expected = united(expected, difference["joined"])
    found = {frozenset(group) for group in groups}
    return ([f"not in Linux's: {' '.join(sorted(group))}" for group in found - expected] +
            [f"only in Linux's: {' '.join(sorted(group))}" for group in expected - found])
