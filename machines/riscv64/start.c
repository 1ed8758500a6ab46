// SPDX-License-Identifier: MIT
/*
 * The first C code: reads the devicetree, brings up this hart and calls machine_main. The machine
 * is QEMU's `virt`, or one that looks like it.
 */
#include "acpi_loader.h"
#include "arch.h"
#include "board.h"
#include "paging.h"
#include "riscv64.h"

extern uint64_t riscv64_root[PAGING_ENTRIES];
extern const char image_start[], image_end[];

static struct board board;

const char *arch_name(void)
{
    return "riscv64";
}

const char *arch_command_line(void)
{
    return board.command_line;
}

uint64_t arch_rsdp(void)
{
    static uint64_t rsdp;
    static bool loaded;
    if (!loaded)
        rsdp = acpi_load(board.fw_cfg);
    loaded = true;
    return rsdp;
}

enum sluice_status arch_describe(struct sluice *sluice)
{
    return board_describe(&board, sluice);
}

bool arch_pci_ecam(struct pci_ecam *out)
{
    *out = board.ecam;
    return board.has_ecam;
}

const struct arch_pci_window *arch_pci_windows(unsigned *out_count)
{
    *out_count = board.window.bytes != 0 ? 1 : 0;
    return &board.window;
}

void arch_image_range(uint64_t *out_start, uint64_t *out_end)
{
    *out_start = (uint64_t)(uintptr_t)image_start;
    *out_end = (uint64_t)(uintptr_t)image_end;
}

void *arch_phys_to_virt(uint64_t phys)
{
    return (void *)(uintptr_t)(RISCV64_DIRECT_BASE + phys);
}

uint64_t arch_virt_to_phys(const void *virt)
{
    uint64_t address = (uint64_t)(uintptr_t)virt;
    return address >= RISCV64_DIRECT_BASE ? address - RISCV64_DIRECT_BASE : address;
}

static uint64_t root(void)
{
    return (uint64_t)(uintptr_t)riscv64_root;
}

static void map_ram(uint64_t phys, uint64_t bytes)
{
    paging_map(root(), RISCV64_DIRECT_BASE + phys, phys, bytes, PAGING_RAM);
}

volatile void *arch_map_mmio(uint64_t phys, uint64_t bytes)
{
    paging_map(root(), RISCV64_MMIO_BASE + phys, phys, bytes, PAGING_DEVICE);
    return (volatile void *)(uintptr_t)(RISCV64_MMIO_BASE + phys);
}

/* No table of this machine says such things: they are said by hand, see guard.c. */
size_t arch_table_reserve(uint8_t *table, size_t length, size_t capacity, uint16_t segment,
                          uint16_t rid, uint64_t first, uint64_t last)
{
    (void)table;
    (void)length;
    (void)capacity;
    (void)segment;
    (void)rid;
    (void)first;
    (void)last;
    return 0;
}

void riscv64_start(uint64_t hart, uint64_t devicetree)
{
    uint64_t image, end;
    (void)hart;
    board_read(devicetree, &board);
    riscv64_console_init(&board.tree);
    arch_image_range(&image, &end);
    /* What lies below is OpenSBI's. */
    board_add_memory(&board, image, map_ram);
    riscv64_time_init(&board.tree);
    riscv64_cache_init(&board.tree);
    riscv64_imsic_init(&board.tree);
    machine_main();
}
