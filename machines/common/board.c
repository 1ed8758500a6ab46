// SPDX-License-Identifier: MIT
/*
 * Bindings of the Devicetree Specification 3.4 (memory) and 3.6 (chosen), and of Linux's
 * pci-host-ecam-generic and qemu,fw-cfg-mmio.
 */
#include "board.h"

#include "options.h"
#include "pages.h"
#include "print.h"

#define LOW_LIMIT       0x100000000ull
#define RANGE_CELLS     7u /* a PCI address takes 3, a CPU's 2, a size 2 */
#define SPACE_MASK      0x03000000u
#define SPACE_MEMORY    0x02000000u /* 32 bits; what prefetches has bit 30 too */
#define PREFETCHES      0x40000000u
#define EXTENTS_LIMIT   16u
#define PAGES_UP(bytes) (((bytes) + MACHINE_PAGE_BYTES - 1) & ~(uint64_t)(MACHINE_PAGE_BYTES - 1))

static void take_command_line(struct board *board)
{
    struct devicetree_node node = {0};
    struct devicetree_value value;
    while (devicetree_next(&board->tree, &node)) {
        if (node.depth != 1 || !text_equal(node.name, "chosen") ||
            !devicetree_property(&board->tree, &node, "bootargs", &value))
            continue;
        for (uint32_t i = 0; i < value.bytes && i + 1 < sizeof(board->command_line); i++)
            board->command_line[i] = (char)value.data[i];
    }
}

/* The window whose PCI addresses are the CPU's, so that bars hold what the CPU uses. */
static void take_window(struct board *board, const struct devicetree_node *node)
{
    struct devicetree_value ranges;
    if (!devicetree_property(&board->tree, node, "ranges", &ranges))
        return;
    for (uint32_t at = 0; (at + RANGE_CELLS) * 4 <= ranges.bytes; at += RANGE_CELLS) {
        uint64_t space = devicetree_number(&ranges, at, 1);
        uint64_t pci = devicetree_number(&ranges, at + 1, 2);
        uint64_t cpu = devicetree_number(&ranges, at + 3, 2);
        uint64_t bytes = devicetree_number(&ranges, at + 5, 2);
        if ((space & SPACE_MASK) != SPACE_MEMORY || (space & PREFETCHES) != 0 || pci != cpu ||
            bytes > LOW_LIMIT - cpu)
            continue;
        board->window = (struct arch_pci_window){cpu, bytes, false};
        return;
    }
}

static void take_pci(struct board *board)
{
    struct devicetree_node node;
    struct devicetree_value buses, segment;
    uint64_t bytes;
    if (!devicetree_find(&board->tree, "pci-host-ecam-generic", 0, &node) ||
        !devicetree_reg(&board->tree, &node, 0, &board->ecam.phys, &bytes))
        return;
    board->ecam.last_bus = (uint8_t)((bytes >> 20) - 1);
    if (devicetree_property(&board->tree, &node, "bus-range", &buses)) {
        board->ecam.first_bus = (uint8_t)devicetree_number(&buses, 0, 1);
        board->ecam.last_bus = (uint8_t)devicetree_number(&buses, 1, 1);
    }
    /* The node's range begins with its first bus; pci_ecam counts from bus 0. */
    board->ecam.phys -= (uint64_t)board->ecam.first_bus << 20;
    if (devicetree_property(&board->tree, &node, "linux,pci-domain", &segment))
        board->ecam.segment = (uint16_t)devicetree_number(&segment, 0, 1);
    board->has_ecam = board->ecam.last_bus >= board->ecam.first_bus;
    take_window(board, &node);
}

void board_read(uint64_t phys, struct board *out)
{
    struct devicetree_node node;
    uint64_t bytes;
    *out = (struct board){0};
    if (!devicetree_open(arch_phys_to_virt(phys), BOARD_TREE_LIMIT, &out->tree))
        machine_die("not started with a devicetree");
    take_command_line(out);
    take_pci(out);
    if (devicetree_find(&out->tree, "qemu,fw-cfg-mmio", 0, &node))
        (void)devicetree_reg(&out->tree, &node, 0, &out->fw_cfg, &bytes);
}

struct extent {
    uint64_t start, end;
};

/* Adds what lies on one side of 4 GiB, less the devicetree. */
static void add_extent(const struct board *board, struct extent extent)
{
    uint64_t tree = arch_virt_to_phys(board->tree.blob);
    uint64_t tree_end = PAGES_UP(tree + board->tree.bytes);
    tree &= ~(uint64_t)(MACHINE_PAGE_BYTES - 1);
    if (tree >= extent.end || tree_end <= extent.start) {
        machine_pages_add(extent.start, extent.end);
        return;
    }
    if (tree > extent.start)
        machine_pages_add(extent.start, tree);
    if (tree_end < extent.end)
        machine_pages_add(tree_end, extent.end);
}

static unsigned find_extents(const struct board *board, struct extent extents[EXTENTS_LIMIT])
{
    struct devicetree_node node = {0};
    struct devicetree_value kind;
    uint64_t base, bytes;
    unsigned count = 0;
    while (devicetree_next(&board->tree, &node)) {
        if (!devicetree_property(&board->tree, &node, "device_type", &kind) ||
            !devicetree_lists(&kind, "memory"))
            continue;
        for (unsigned i = 0;
             count < EXTENTS_LIMIT && devicetree_reg(&board->tree, &node, i, &base, &bytes); i++) {
            if (bytes != 0 && base + bytes > base)
                extents[count++] = (struct extent){base, base + bytes};
        }
    }
    return count;
}

void board_add_memory(const struct board *board, uint64_t first,
                      void (*map)(uint64_t phys, uint64_t bytes))
{
    struct extent extents[EXTENTS_LIMIT];
    unsigned count = find_extents(board, extents);
    for (unsigned high = 0; high < 2; high++) {
        uint64_t from = high == 0 ? first : LOW_LIMIT, to = high == 0 ? LOW_LIMIT : UINT64_MAX;
        for (unsigned i = 0; i < count; i++) {
            struct extent part = {extents[i].start > from ? extents[i].start : from,
                                  extents[i].end < to ? extents[i].end : to};
            if (part.end <= part.start)
                continue;
            map(part.start, part.end - part.start);
            add_extent(board, part);
        }
    }
}
