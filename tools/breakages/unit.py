# SPDX-License-Identifier: MIT
"""What is broken in src/unit."""

from lib.breakage import Breakage

ROWS = [
    Breakage("latency-in-the-wrong-bucket", "an honest overview", "src/unit/unit.c",
             "__builtin_clzll(ns - 1); /* rounded up */",
             "__builtin_clzll(ns); /* rounded up */",
             ["overview"]),
    Breakage("waits-not-counted", "an honest overview", "src/unit/intel/queue.c",
             "    if (result == OUTCOME_DONE && last)\n        unit_note_wait_locked(wait);\n", "",
             ["overview"]),
    Breakage("smmu3-rung-for-is-not-done", "1, fail closed", "src/unit/ring.c",
             "    return record->end <= ring->consumed;",
             "    return record->end <= ring->rung;",
             ["smmu3-errors"]),
    Breakage("amd-not-waited-for", "1, fail closed", "src/unit/ring.c",
             "    for (uint64_t at = ticket->value[0]; at != ticket->value[1] && status == "
             "SLUICE_OK; at++)",
             "    for (uint64_t at = ticket->value[1]; at != ticket->value[1]; at++)",
             ["amdvi-errors", "amdvi-library"]),
    Breakage("amd-device-that-did-not-answer", "1, fail closed", "src/unit/ring.c",
             "    if (record->remote && ring->ops->look_locked != NULL)",
             "    if (false)",
             ["amdvi-errors"]),
    Breakage("device-tlb-of-another-link", "1, fail closed", "src/unit/user.c",
             "        if (user->link != invalidation->link || !user->device_tlb)\n",
             "        if (user->link == invalidation->link || !user->device_tlb)\n",
             ["vtd-limits", "amdvi-limits"]),
    Breakage("user-outlives-its-link", "1, fail closed", "src/unit/user.c",
             "        if (user->link == link)\n            unit_user_remove",
             "        if (user->link != link)\n            unit_user_remove",
             ["vtd-limits"]),
    Breakage("tag-in-doubt-used-again", "3, separation", "src/unit/index.c",
             "    index->withheld++;\n",
             "    index->withheld++;\n    unit_index_give(index, tag, 1);\n",
             ["vtd-limits"]),
    Breakage("device-tlb-told-of-one-page", "1, fail closed", "src/unit/user.c",
             "            unsigned lg2 = unit_cover_lg2(range->first, range->last);\n",
             "            unsigned lg2 = SLUICE_PAGE_LG2;\n",
             ["smmu3-unit", "riscv-unit"]),
]
