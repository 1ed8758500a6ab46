# SPDX-License-Identifier: MIT
"""What is broken in src/domain."""

from lib.breakage import Breakage

ROWS = [
    Breakage("unmap-without-invalidation", "1, fail closed", "src/domain/flush.c",
             "            link->unit->ops->invalidate_submit(link->unit, &what, "
             "&round->tickets[round->count]);\n"
             "        round->units[round->count++] = status == SLUICE_OK ? link->unit : NULL;",
             "            SLUICE_OK;\n        (void)what;\n"
             "        round->units[round->count++] = NULL;",
             ["domain"], ["stale"], quick=True),
    Breakage("tables-freed-before-invalidation", "1, fail closed", "src/domain/flush.c",
             "    do {\n        enum sluice_status submitted",
             "    struct pt_gather copy = *gather;\n"
             "    const struct flush_what again = {&copy, what->mapped};\n\n"
             "    what = what->gather != NULL ? &again : what;\n"
             "    release_tables(domain, gather);\n    do {\n        enum sluice_status submitted",
             ["domain-failures"]),
    Breakage("doorbell-forgotten", "2, what is demanded is mapped", "src/domain/attach.c",
             "    return status == SLUICE_OK ? doorbells_map_locked(domain, device->unit) : status;",
             "    return status;",
             ["doorbell"], ["interrupt"], shape="aarch64-smmu3"),
    Breakage("timeout-taken-for-done", "1, fail closed", "src/domain/flush.c",
             "    if (!hardware_failed(result)) {\n        release",
             "    if (result != SLUICE_ERR_HARDWARE) {\n"
             "        result = SLUICE_OK;\n        release",
             ["domain-failures"]),
    Breakage("distrusted-domain-confirmed", "1, fail closed", "src/domain/flush.c",
             "        result = SLUICE_ERR_TIMEOUT;\n    if",
             "        result = SLUICE_OK;\n    if",
             ["domain-failures"]),
    Breakage("stream-of-another-unit", "3, separation", "src/domain/firmware.c",
             "source->unit->desc == scope->unit && ", "",
             ["described"]),
    Breakage("name-by-its-beginning", "3, separation", "src/domain/find.c",
             "return path[scope->name_bytes] == 0;", "return true;",
             ["described"]),
    Breakage("remembered-table-outlives-caching-unit", "1, fail closed", "src/domain/link.c",
             "        atomic_fetch_add_explicit(&domain->pt.generation, 1, memory_order_release);",
             "        ;",
             ["dma"]),
    Breakage("remembered-table-outlives-distrust", "1, fail closed", "src/domain/domain.h",
             "    atomic_fetch_add_explicit(&domain->pt.generation, 1, memory_order_release);",
             "    ;",
             ["dma-lazy"]),
    Breakage("quarantine-keeps-memory", "1, fail closed", "src/domain/attach.c",
             "    count_cut(device, true);\n    return switch_sources(device, NULL);",
             "    count_cut(device, true);\n    return SLUICE_OK;",
             ["quarantine"]),
    Breakage("quarantine-undone-by-neighbour", "3, separation", "src/domain/attach.c",
             "    if (source->cut_off != 0)\n        to = NULL;\n", "",
             ["quarantine"]),
    Breakage("firmware-memory-lost-in-a-domain", "2, no open window", "src/domain/attach.c",
             "    return firmware_regions_map_locked(domain, &user);",
             "    (void)user;\n    return SLUICE_OK;",
             ["domain"], ["reserved"]),
    Breakage("shared-identifier-split", "3, separation", "src/domain/attach.c",
             "    if (shared_elsewhere(device, domain))",
             "    if (false && shared_elsewhere(device, domain))",
             ["domain"]),
    Breakage("interrupt-window-mappable", "4, permissions", "src/domain/mapping.c",
             "        if (first <= domain->reserved[i].last && last >= domain->reserved[i].first)",
             "        if (false && first <= domain->reserved[i].last &&\n"
             "            last >= domain->reserved[i].first)",
             ["domain"], ["reserved"]),
    Breakage("absent-entries-cached", "1, fail closed (caching mode)", "src/domain/link.c",
             "    if (link->unit->caps.flush_on_map)\n        atomic_fetch_add_explicit",
             "    if (false)\n        atomic_fetch_add_explicit",
             ["domain"]),
    Breakage("policy-stranger-gets-firmware-memory", "2, no open window", "src/domain/firmware.c",
             "    if (user->on_pci && pci_below_external(sluice, user->segment, user->rid))\n"
             "        return false;",
             "",
             ["protection"]),
    Breakage("policy-plugged-outside-and-trusted", "2, no open window", "src/domain/find.c",
             "pci_below_external(sluice, device->segment, named)",
             "(pci_below_external(sluice, device->segment, named) && false)",
             ["protection"]),
]
