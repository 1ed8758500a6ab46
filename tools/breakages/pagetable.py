# SPDX-License-Identifier: MIT
"""What is broken in src/pagetable."""

from lib.breakage import Breakage

ROWS = [
    Breakage("read-only-is-writable", "4, permissions", "src/pagetable/vtd_second_stage.h",
             "    uint64_t attributes = prot & (VTD_SS_R | VTD_SS_W);",
             "    uint64_t attributes = VTD_SS_R | VTD_SS_W;",
             ["domain"], ["read-only", "write-only"], quick=True),
    Breakage("arm-read-only-is-writable", "4, permissions", "src/pagetable/arm.h",
             "arm_move(refused, SLUICE_PROT_WRITE, ARM_S1_READONLY)", "0",
             ["smmu3-errors"]),
    Breakage("riscv-root-of-one-page", "3, separation", "src/pagetable/engine_table.h",
             "SLUICE_PAGE_LG2 + PTF_ROOT_EXTRA_BITS;", "SLUICE_PAGE_LG2;",
             ["riscv-unit"]),
    Breakage("riscv-read-only-is-writable", "4, permissions", "src/pagetable/riscv.h",
             "    if ((prot & SLUICE_PROT_WRITE) != 0)\n        attributes |= RISCV_W | RISCV_D;",
             "    attributes |= RISCV_W | RISCV_D;",
             ["riscv-faults"]),
    Breakage("amd-read-only-is-writable", "4, permissions", "src/pagetable/amd_v1.h",
             "    if ((prot & SLUICE_PROT_WRITE) != 0)\n        attributes",
             "    if (prot != 0)\n        attributes",
             ["amdvi-faults"], ["read-only"], shape="amd"),
]
