# SPDX-License-Identifier: MIT
"""What is broken in src/fault."""

from lib.breakage import Breakage

ROWS = [
    Breakage("quarantine-keeps-interrupts", "5, interrupts", "src/fault/quarantine.c",
             "        if (interrupt->device != device)\n            continue;",
             "        if (interrupt->device == device)\n            continue;",
             ["quarantine-interrupt"]),
    Breakage("quarantine-window-forgotten", "6, everything is bounded", "src/fault/watch.c",
             "now_ns - first <= window_ns &&", "window_ns != 0 &&",
             ["quarantine"]),
    Breakage("fault-loss-not-told", "7, hostile", "src/fault/log.c",
             "            *lost += end - *cursor - log->slots_count;\n", "",
             ["property/fault-log"]),
]
