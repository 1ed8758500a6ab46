# SPDX-License-Identifier: MIT
"""What is broken in src/instance."""

from lib.breakage import Breakage

ROWS = [
    Breakage("firmware-memory-forgotten", "2, no open window", "src/instance/start.c",
             "        status = firmware_regions_prepare_locked(sluice);",
             "        status = SLUICE_OK;",
             ["domain"], ["handover"]),
    Breakage("half-a-start-left-on", "2, no open window", "src/instance/start.c",
             "    if (units_revert(sluice) != SLUICE_OK)",
             "    if (false)",
             ["instance"]),
    Breakage("failed-start-opens-what-firmware-closed", "1, fail closed", "src/instance/start.c",
             "    if (units_revert(sluice) != SLUICE_OK)",
             "    if (units_stop(sluice) != SLUICE_OK)",
             ["instance"]),
    Breakage("group-acs-not-turned-on-after-sleep", "3, separation", "src/instance/start.c",
             "    group_restore(sluice);",
             "",
             ["group-special"]),
    Breakage("policy-level-not-checked-by-start", "5, interrupts remapped or refused",
             "src/instance/start.c",
             "    if (sink.missing != 0)\n        return SLUICE_ERR_UNSUPPORTED;",
             "    if (false)\n        return SLUICE_ERR_UNSUPPORTED;",
             ["protection", "protection-trust"]),
    Breakage("policy-use-not-checked-by-strict", "2, no open window", "src/instance/protection.c",
             "    level_check_use(sink);\n    protection_check_dma(sink);",
             "    protection_check_dma(sink);",
             ["protection"]),
    Breakage("policy-disabled-under-a-device", "2, no open window", "src/instance/protection.c",
             "    if (sink.in_use != 0) {\n        instance_change_end(sluice, was);",
             "    if (false) {\n        instance_change_end(sluice, was);",
             ["protection"]),
]
