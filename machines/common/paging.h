// SPDX-License-Identifier: MIT
/*
 * The kernel's own address space: four levels of 9 bits over pages of 4 KiB, which the three
 * architectures have in common; how an entry looks is told by each one's machine_pte.h. What boot
 * code has mapped is kept, and entries are only ever added.
 */
#ifndef MACHINE_PAGING_H
#define MACHINE_PAGING_H

#include <stdint.h>

enum paging_kind {
    PAGING_RAM = 0, /* cached, for data only */
    PAGING_DEVICE,  /* registers: not cached, every access as written */
};

#define PAGING_ENTRIES 512u

/**
 * Maps [phys, phys + bytes) at `virt` with pages of 4 KiB, 2 MiB and 1 GiB; what is mapped there
 * already stays. `root` is the physical address of the top table, which arch_phys_to_virt reaches.
 * No memory for tables ends the run.
 */
void paging_map(uint64_t root, uint64_t virt, uint64_t phys, uint64_t bytes, enum paging_kind kind);

#endif
