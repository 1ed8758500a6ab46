// SPDX-License-Identifier: MIT
/*
 * What a devicetree says of the board, for machines that are started with one: command line,
 * memory, PCI, and where QEMU's configuration device lies. Interrupt controllers and consoles are
 * the architecture's to find.
 */
#ifndef MACHINE_BOARD_H
#define MACHINE_BOARD_H

#include "arch.h"
#include "devicetree.h"
#include "pci.h"

#define BOARD_TREE_LIMIT 0x200000u /* bytes; a longer devicetree is refused */

struct board {
    struct devicetree tree;
    uint64_t fw_cfg; /* physical, 0 for none */
    bool has_ecam;
    struct pci_ecam ecam;
    struct arch_pci_window window; /* for bars, below 4 GiB; no bytes when there is none */
    char command_line[512];
};

/** Reads the devicetree at `phys`, which must be mapped. Ends the run when it is none. */
void board_read(uint64_t phys, struct board *out);

/**
 * Hands the board's memory from `first` on to the page allocator, low extents first, less the
 * devicetree, after `map` has made it reachable.
 */
void board_add_memory(const struct board *board, uint64_t first,
                      void (*map)(uint64_t phys, uint64_t bytes));

/**
 * Where the word "devicetree" asks for it: tells an instance of the IOMMUs that the devicetree
 * names, and of who is behind them. Returns: OK, also when there are none; else why it failed, or
 * FIRMWARE when a part of the tree was left out.
 */
enum sluice_status board_describe(const struct board *board, struct sluice *sluice);

#endif
