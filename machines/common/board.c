// SPDX-License-Identifier: MIT
/*
 * Bindings of the Devicetree Specification 3.4 (memory) and 3.6 (chosen), and of Linux's
 * pci-host-ecam-generic and qemu,fw-cfg-mmio. Host bridges and IOMMUs are found by
 * libsluice-devicetree, as a port of the library finds them.
 */
#include "board.h"

#include "options.h"
#include "pages.h"
#include "print.h"
#include "report.h"

#include <sluice/devicetree.h>

#define LOW_LIMIT       0x100000000ull
#define RANGE_CELLS     7u /* a PCI address takes 3, a CPU's 2, a size 2 */
#define SPACE_MASK      0x03000000u
#define SPACE_MEMORY    0x02000000u /* 32 bits; what prefetches has bit 30 too */
#define PREFETCHES      0x40000000u
#define EXTENTS_LIMIT   16u
#define PAGES_UP(bytes) (((bytes) + MACHINE_PAGE_BYTES - 1) & ~(uint64_t)(MACHINE_PAGE_BYTES - 1))

static struct sluice_devicetree room; /* for the library to work in */

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

/* The first host bridge, as the library reads it; its windows are for the machine alone. */
static void take_pci(struct board *board)
{
    static struct sluice_devicetree_cursor at;
    struct devicetree_node windows;
    struct sluice_devicetree_node node;
    enum sluice_status status;
    if (sluice_devicetree_open(board->tree.blob, board->tree.bytes, &room, NULL) != SLUICE_OK)
        machine_die("the library refuses the devicetree");
    while ((status = sluice_devicetree_next(&room, &at, &node, NULL)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK || !node.enabled || (node.roles & SLUICE_DEVICETREE_PCI_HOST) == 0)
            continue;
        board->ecam = (struct pci_ecam){
            /* The node's range begins with its first bus; pci_ecam counts from bus 0. */
            .phys = node.registers - ((uint64_t)node.first_bus << 20),
            .segment = node.segment,
            .first_bus = node.first_bus,
            .last_bus = node.last_bus,
        };
        board->has_ecam = node.register_bytes >= (uint64_t)(node.last_bus - node.first_bus + 1)
                                                     << 20;
        break;
    }
    if (board->has_ecam && devicetree_find(&board->tree, "pci-host-ecam-generic", 0, &windows))
        take_window(board, &windows);
}

static void left_out(void *arg, const struct sluice_devicetree_error *error)
{
    (void)arg;
    say("the devicetree's %s: %s %s", error->path[0] != '\0' ? error->path : "blob",
        error->property != NULL ? error->property : "node", error->what);
}

enum sluice_status board_describe(const struct board *board, struct sluice *sluice)
{
    const struct sluice_devicetree_config config = {.report = left_out};
    struct sluice_devicetree_summary summary;
    enum sluice_status status;
    if (!option_given("devicetree"))
        return SLUICE_OK;
    status = sluice_add_devicetree(sluice, board->tree.blob, board->tree.bytes, &room, &config,
                                   &summary, NULL);
    if (status == SLUICE_ERR_NOT_FOUND)
        return SLUICE_OK; /* start says that there is none */
    if (status != SLUICE_OK)
        return status;
    say("the devicetree names %u IOMMUs, %u ranges of PCI functions behind them, %u other devices",
        summary.units, summary.ranges, summary.devices);
    /* Nothing is wrong with what an emulator writes. */
    return summary.left_out == 0 ? SLUICE_OK : SLUICE_ERR_FIRMWARE;
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
