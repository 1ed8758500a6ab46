# SPDX-License-Identifier: MIT
"""What is broken in src/unit/intel."""

from lib.breakage import Breakage

ROWS = [
    Breakage("not-waited-for", "1, fail closed", "src/unit/intel/invalidate.c",
             "    return vtd_queue_wait(vtd, ticket);\n}\n\nenum",
             "    (void)vtd;\n    return SLUICE_OK;\n}\n\nenum",
             ["domain-failures"]),
    Breakage("old-entry-kept-on-move", "2, no open window", "src/unit/intel/context.c",
             "    vtd_clean(vtd, entry, sizeof(*entry));\n    status = forget_old(vtd, source, "
             "old);\n#else",
             "    vtd_clean(vtd, entry, sizeof(*entry));\n    status = SLUICE_OK;\n"
             "    (void)old;\n#else",
             ["domain"], ["move"], quick=True),
    Breakage("detached-and-still-cached", "2, no open window", "src/unit/intel/context.c",
             "        return was_present ? forget_old(vtd, source, old) : SLUICE_OK;",
             "        return SLUICE_OK;",
             ["domain"], ["blocked"]),
    Breakage("on-before-the-root-is-set", "2, no open window", "src/unit/intel/start.c",
             "    status = finish_commands(vtd);\n    if (status == SLUICE_OK)\n"
             "        status = vtd_queue_off(vtd);",
             "    status = finish_commands(vtd);\n    if (status == SLUICE_OK)\n"
             "        status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), true, \"on\");\n"
             "    if (status == SLUICE_OK)\n        status = vtd_queue_off(vtd);",
             ["vtd-handover"]),
    Breakage("protected-memory-off-first", "2, no open window", "src/unit/intel/start.c",
             "    vtd_fault_clear(vtd);\n    status = finish_commands(vtd);",
             "    vtd_fault_clear(vtd);\n    status = vtd_protected_memory_off(vtd);\n"
             "    if (status == SLUICE_OK)\n        status = finish_commands(vtd);",
             ["vtd-handover"]),
    Breakage("handover-turns-translation-off", "2, no open window", "src/unit/intel/start.c",
             "        log_info(unit->sluice, \"%s: firmware left translation on; taking over\", "
             "unit->name);",
             "        (void)vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), false, \"off\");\n"
             "    before.status &= ~VTD_MASK32(GSTS_TES);",
             ["vtd-handover"]),
    Breakage("identifier-reused-without-invalidation", "3, separation", "src/unit/intel/link.c",
             "    enum sluice_status status = vtd_invalidate_submit(unit, &everything, &ticket);\n"
             "\n    if (status == SLUICE_OK)\n",
             "    enum sluice_status status = SLUICE_OK;\n\n    (void)everything;\n"
             "    ticket = (struct unit_ticket){{0, 0}};\n    if (status == SLUICE_OK)\n",
             ["domain-units"],
             # Detaching drops them too: each alone would do.
             more=[("src/unit/intel/invalidate.c",
                    "    vtd_batch_add(&batch, vtd_desc_iotlb(&request));\n"
                    "    if (change->user != NULL)",
                    "    if (change->user != NULL)")]),
    Breakage("lost-invalidation-forgotten", "3, separation", "src/unit/intel/context.c",
             "        if (atomic_load_explicit(&vtd->unit.degraded, memory_order_relaxed) != 0) {",
             "        if (false) {",
             ["vtd-errors"]),
    Breakage("faults-not-taken-out", "7, hostile", "src/unit/intel/fault.c",
             "    vtd_write32(vtd, offset + 12, 1u << 31); /* F, write 1 to clear */",
             "    (void)offset;",
             ["vtd-errors"], ["unmapped"]),
    Breakage("interrupt-from-anybody", "5, interrupts", "src/unit/intel/irte.h",
             "    return VTD_PREP(IRTE_HIGH_SVT, VTD_SVT_ID) |",
             "    return VTD_PREP(IRTE_HIGH_SVT, VTD_SVT_NONE) |",
             ["interrupt", "vtd-interrupt"], ["interrupt-forged"], shape="intel-48-queued-remap",
             quick=True),
    Breakage("interrupt-moved-and-still-cached", "5, interrupts", "src/unit/intel/interrupt.c",
             "    return invalidate(vtd, block->first + index, 1);",
             "    return SLUICE_OK;",
             ["interrupt", "vtd-interrupt"]),
    Breakage("interrupt-freed-and-still-cached", "1, fail closed", "src/unit/intel/interrupt.c",
             "    status = invalidate(vtd, block->first, block->count);",
             "    status = SLUICE_OK;",
             ["interrupt", "vtd-interrupt"]),
    Breakage("interrupt-entry-withheld-not-kept", "1, fail closed", "src/unit/intel/interrupt.c",
             "        vtd->interrupts.index.withheld += block->count;\n        return status;",
             "        unit_index_give(&vtd->interrupts.index, block->first, block->count);\n"
             "        return status;",
             ["vtd-interrupt"]),
    Breakage("interrupt-lost-on-move", "5, interrupts", "src/unit/intel/interrupt.c",
             "    entry_set(vtd, block->first + index, low);",
             "    entry_set(vtd, block->first + index, 0);\n"
             "    (void)invalidate(vtd, block->first + index, 1);\n"
             "    entry_set(vtd, block->first + index, low);",
             ["vtd-interrupt-threads"]),
    Breakage("older-messages-pass", "5, interrupts", "src/unit/intel/interrupt.c",
             "    if ((vtd_read32(vtd, VTD_REG_GSTS) & VTD_MASK32(GSTS_CFIS)) != 0)",
             "    if (false)",
             ["vtd-interrupt"]),
    Breakage("remapping-off-during-takeover", "5, interrupts", "src/unit/intel/interrupt.c",
             "    if (status == SLUICE_OK)\n        status = vtd_command_flush_writes(vtd);\n"
             "    if (status == SLUICE_OK)\n        status = vtd_command_set_interrupt_table",
             "    if (status == SLUICE_OK)\n        status = vtd_interrupts_disable(vtd);\n"
             "    if (status == SLUICE_OK)\n        status = vtd_command_set_interrupt_table",
             ["vtd-interrupt"]),
    Breakage("remapping-before-its-table-is-fresh", "5, interrupts", "src/unit/intel/start.c",
             "    if (status == SLUICE_OK)\n        status = vtd_command_flush_writes(vtd);\n"
             "    if (status == SLUICE_OK)\n        status = vtd_command_set_root",
             "    if (status == SLUICE_OK && interrupts)\n        status = "
             "vtd_interrupts_enable(vtd);\n"
             "    if (status == SLUICE_OK)\n        status = vtd_command_set_root",
             ["vtd-interrupt"]),
    Breakage("vtd-revert-forgets-protected-memory", "1, fail closed", "src/unit/intel/start.c",
             "    out->protected_memory = vtd_protected_memory(vtd);",
             "    out->protected_memory = 0;",
             ["vtd-takeover"]),
    Breakage("vtd-revert-turns-off", "1, fail closed", "src/unit/intel/probe.c",
             "    .revert = vtd_revert,",
             "    .revert = vtd_stop,",
             ["vtd-takeover", "instance"]),
    Breakage("cut-off-entry-not-invalidated", "1, fail closed", "src/unit/intel/context.c",
             "    return status != SLUICE_OK ? status : vtd_invalidate_entry(vtd, &change);\n}\n\n"
             "/* Where nothing was",
             "    (void)change;\n    return status;\n}\n\n/* Where nothing was",
             ["quarantine"], ["hostile"]),
    Breakage("silence-lost-by-a-move", "7, hostile", "src/unit/intel/context.c",
             "    return VTD_PREP(CONTEXT_LOW_FPD, source->silenced);\n",
             "    (void)source;\n    return 0;\n",
             ["silence"], ["silence"]),
    Breakage("silence-not-told-to-the-unit", "7, hostile", "src/unit/intel/context.c",
             "    return entry_present(entry) ? forget_old(vtd, source, NULL)"
             " : forget_absent(vtd, source, NULL);\n",
             "    return forget_absent(vtd, source, NULL);\n",
             ["silence"]),
    Breakage("silence-for-show", "7, hostile", "src/unit/intel/context.c",
             "low | VTD_PREP(CONTEXT_LOW_FPD, silence)", "low",
             ["silence"], ["silence"]),
]
