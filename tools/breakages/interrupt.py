# SPDX-License-Identifier: MIT
"""What is broken in src/interrupt."""

from lib.breakage import Breakage

ROWS = [
    Breakage("quarantine-routes-again", "5, interrupts", "src/interrupt/route.c",
             "interrupt->device->quarantined)", "false)",
             ["quarantine-interrupt"]),
    Breakage("interrupt-from-any-bus", "5, interrupts", "src/interrupt/source.c",
             "    block->last_bus = SLUICE_RID_BUS(device->rid);",
             "    block->last_bus = 0xff;\n    block->first_bus = 0;",
             ["interrupt"]),
    Breakage("not-remapped-and-started", "5, interrupts", "src/interrupt/decide.c",
             "                                                        : \"its driver does not do that\");\n"
             "        return SLUICE_ERR_UNSUPPORTED;",
             "                                                        : \"its driver does not do that\");\n"
             "        sluice->config.interrupts = SLUICE_INTERRUPTS_LEFT_ALONE;\n"
             "        return SLUICE_OK;",
             ["interrupt"]),
]
