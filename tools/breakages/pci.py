# SPDX-License-Identifier: MIT
"""What is broken in src/pci."""

from lib.breakage import Breakage

ROWS = [
    Breakage("requester-id-unmasked", "3, separation", "src/pci/scope.c",
             "return (uint16_t)(rid & ~(unsigned)scope->rid_ignored);",
             "(void)scope;\n    return rid;",
             ["described"]),
    Breakage("alias-not-attached", "3, separation", "src/pci/alias.c",
             "            add_alias(out_rids, &count, SLUICE_RID(bus, 0, 0));",
             "            (void)add_alias;",
             ["domain"], ["bridged"]),
    Breakage("told-alias-not-attached", "3, separation", "src/pci/alias.c",
             "    add_firmware_aliases(sluice, segment, rid, out_rids, &count);",
             "    (void)add_firmware_aliases;",
             ["amdvi-library"]),
    Breakage("group-acs-believed-not-read-back", "3, separation", "src/pci/acs.c",
             "    acs->control = read_register(sluice, segment, rid, acs, control_at(acs));\n"
             "    return",
             "    acs->control = control;\n    return",
             ["group"]),
    Breakage("group-direct-translated-left-on", "3, separation", "src/pci/acs.c",
             "    lacks |= acs->control & SLUICE_ACS_DIRECT_TRANSLATED;",
             "",
             ["group"]),
    Breakage("group-known-wrong-id-not-confined", "2, no open window", "src/pci/alias.c",
             "    add_quirk_aliases(sluice, segment, rid, out_rids, &count);",
             "    (void)add_quirk_aliases;",
             ["group-special"]),
    Breakage("chipset-taken-at-its-word", "3, separation", "src/pci/chipset.c",
             "    return is_closed(sluice);\n}\n\nstatic bool is_port",
             "    return true;\n}\n\nstatic bool is_port",
             ["chipset"]),
    Breakage("chipset-port-checks-nobody", "3, separation", "src/pci/chipset.c",
             "    return port != UINT32_MAX && (port & MPC_IRBNCE) != 0;",
             "    return port != UINT32_MAX;",
             ["chipset"]),
    Breakage("chipset-open-after-sleep", "3, separation", "src/group/scan.c",
             "    pci_chipset_restore(sluice);\n", "",
             ["chipset"]),
]
