# SPDX-License-Identifier: MIT
"""What is broken in src/firmware."""

from lib.breakage import Breakage

ROWS = [
    Breakage("empty-structure-never-passed", "7, hostile", "src/firmware/acpi.c",
             "    if (bytes < shape->header_bytes)\n",
             "    if (false)\n",
             ["acpi"], quick=True),
    Breakage("scope-reaches-out", "7, hostile", "src/firmware/dmar.c",
             "    if (bytes > end - at)\n",
             "    if (false)\n",
             ["acpi"]),
    Breakage("reserved-ids-not-counted", "6, everything is bounded", "src/firmware/platform_iort.c",
             "    reader->platform->reserved_ids += more + 1;\n", "",
             ["platform-nodes"]),
    Breakage("old-description-of-a-unit", "7, hostile", "src/firmware/platform_ivrs.c",
             "    if (unit != NULL && unit->ivhd.type > ivhd->type)",
             "    if (unit != NULL && unit->ivhd.type < ivhd->type)",
             ["platform-ivrs"]),
    Breakage("reserved-memory-without-end", "6, bounded", "src/firmware/platform_make.c",
             "    if (what->prot != 0 && what->last - what->first >= SLUICE_RESERVED_BYTES_MAX) {",
             "    if (false) {",
             ["platform-nodes", "platform-ivrs", "described-reserved"]),
]
