// SPDX-License-Identifier: MIT
/*
 * The first C code: reads the devicetree, brings up this CPU and calls machine_main. The machine is
 * QEMU's `virt`, or one that looks like it.
 */
#include "aarch64.h"
#include "acpi_loader.h"
#include "arch.h"
#include "board.h"
#include "paging.h"

extern uint64_t aarch64_high[PAGING_ENTRIES];
extern const char image_start[], image_end[];

static struct board board;

const char *arch_name(void)
{
    return "aarch64";
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
    return (void *)(uintptr_t)(AARCH64_DIRECT_BASE + phys);
}

uint64_t arch_virt_to_phys(const void *virt)
{
    uint64_t address = (uint64_t)(uintptr_t)virt;
    return address >= AARCH64_DIRECT_BASE ? address - AARCH64_DIRECT_BASE : address;
}

static uint64_t root(void)
{
    return (uint64_t)(uintptr_t)aarch64_high;
}

void aarch64_map_ram(uint64_t phys, uint64_t bytes)
{
    paging_map(root(), AARCH64_DIRECT_BASE + phys, phys, bytes, PAGING_RAM);
}

volatile void *arch_map_mmio(uint64_t phys, uint64_t bytes)
{
    paging_map(root(), AARCH64_MMIO_BASE + phys, phys, bytes, PAGING_DEVICE);
    return (volatile void *)(uintptr_t)(AARCH64_MMIO_BASE + phys);
}

void aarch64_start(uint64_t devicetree)
{
    uint64_t image, end;
    board_read(devicetree, &board);
    aarch64_console_init(&board.tree);
    arch_image_range(&image, &end);
    board_add_memory(&board, image, aarch64_map_ram);
    aarch64_time_init();
    aarch64_gic_init(&board.tree);
    machine_main();
}
