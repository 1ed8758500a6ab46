# SPDX-License-Identifier: MIT
"""What is broken in src/group."""

from lib.breakage import Breakage

ROWS = [
    Breakage("group-switch-port-leaks-unseen", "3, separation", "src/group/tie.c",
             "    map->functions[port->parent].binds = true;",
             "    (void)map;",
             ["group"], ["groups"],
             shape="intel-48-queued-topology", quick=True),
    Breakage("group-functions-taken-for-apart", "3, separation", "src/group/tie.c",
             "        all = all || sends(&functions[i]);",
             "        all = false && sends(&functions[i]);",
             ["group"]),
    Breakage("group-conventional-bus-divided", "3, separation", "src/group/tie.c",
             "        /* To conventional PCI, or a bridge of a type that bridges do not have. */\n"
             "        bridge->binds = true;",
             "        bridge->binds = false;",
             ["group", "group-special"], ["groups"],
             shape="intel-48-queued-topology"),
    Breakage("group-borrowed-id-overlooked", "3, separation", "src/group/tie.c",
             "        if (owner != GROUP_NONE)\n            tie(map, index, owner);",
             "        (void)owner;",
             ["group-special"]),
    Breakage("policy-group-in-two-domains", "3, separation", "src/group/policy.c",
             "    return admit_to_group(domain, device);",
             "    (void)admit_to_group;\n    return SLUICE_OK;",
             ["protection"], quick=True),
    Breakage("policy-strict-not-alone", "3, separation", "src/group/assign.c",
             "        return judge_alone(device);",
             "        return (void)judge_alone, SLUICE_OK;",
             ["protection"]),
    Breakage("policy-stranger-joins-assigned-domain", "3, separation", "src/group/policy.c",
             "    if ((domain->assignees != 0 || device->assigned != NULL) &&"
             " device->assigned != domain) {",
             "    if (false && device->assigned != domain) {",
             ["protection"]),
    Breakage("policy-identity-at-strict", "2, no open window", "src/group/policy.c",
             "    if (domain->kind == SLUICE_DOMAIN_IDENTITY &&"
             " sluice->level == SLUICE_PROTECTION_STRICT) {",
             "    if (false && sluice->level == SLUICE_PROTECTION_STRICT) {",
             ["protection"]),
    Breakage("policy-user-gets-firmware-memory", "2, no open window", "src/group/assign.c",
             "    if (assignment->user && !assignment->relax_reserved)",
             "    if (false && !assignment->relax_reserved)",
             ["protection"]),
    Breakage("policy-ats-left-on", "2, no open window", "src/group/policy.c",
             "    if (pci_ats_disable(sluice, device->segment, device->rid))\n"
             "        return SLUICE_OK;",
             "    if (device->untrusted)\n        return SLUICE_OK;",
             ["protection-trust"]),
    Breakage("policy-uncovered-function-overlooked", "2, no open window", "src/group/level.c",
             "        if (could_do_dma(function) &&",
             "        if (!could_do_dma(function) &&",
             ["protection"]),
]
