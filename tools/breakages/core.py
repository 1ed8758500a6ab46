# SPDX-License-Identifier: MIT
"""What is broken in src/core."""

from lib.breakage import Breakage

ROWS = [
    Breakage("log-level-not-honoured", "an honest log", "src/core/log.c",
             "|| level > level_of(sluice))", "|| (level > level_of(sluice) && false))",
             ["instance"]),
    Breakage("wait-without-an-end", "6, bounded", "src/core/instance.h",
             "    return host_now_ns(sluice) + sluice->config.hardware_timeout_ns;",
             "    return UINT64_MAX - host_now_ns(sluice) % 2;",
             ["domain-failures"]),
]
