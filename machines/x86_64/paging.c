// SPDX-License-Identifier: MIT
/*
 * The kernel's own address space after boot.S: RAM above 4 GiB joins the direct map, device
 * registers are mapped uncached when asked for. Entries are only ever added, so nothing is flushed.
 */
#include "arch.h"
#include "pages.h"
#include "print.h"
#include "x86.h"

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_UNCACHED ((1ull << 3) | (1ull << 4)) /* PWT, PCD */
#define PTE_LARGE    (1ull << 7)
#define PTE_NX       (1ull << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull
#define LARGE_BYTES  0x200000ull
#define SMALL_BYTES  0x1000ull

extern uint64_t boot_pml4[512];
extern const char image_start[], image_end[];

void *arch_phys_to_virt(uint64_t phys)
{
    return (void *)(uintptr_t)(X86_DIRECT_BASE + phys);
}

uint64_t arch_virt_to_phys(const void *virt)
{
    uint64_t address = (uint64_t)(uintptr_t)virt;
    return address >= X86_DIRECT_BASE ? address - X86_DIRECT_BASE : address;
}

void arch_image_range(uint64_t *out_start, uint64_t *out_end)
{
    *out_start = (uint64_t)(uintptr_t)image_start;
    *out_end = (uint64_t)(uintptr_t)image_end;
}

static uint64_t *table_below(uint64_t *entry)
{
    if ((*entry & PTE_PRESENT) == 0) {
        uint64_t phys;
        if (!machine_pages_alloc(0, MACHINE_PAGES_LOW | MACHINE_PAGES_KEPT, &phys))
            machine_die("no memory for the kernel's own page tables");
        *entry = phys | PTE_PRESENT | PTE_WRITE;
    }
    uint64_t phys = *entry & PTE_ADDRESS;
    /* The tables of boot.S lie in the image, which the direct map covers as well. */
    return arch_phys_to_virt(phys);
}

static void map(uint64_t virt, uint64_t phys, uint64_t bytes, uint64_t flags)
{
    uint64_t end = virt + bytes;
    while (virt < end) {
        uint64_t *table = arch_phys_to_virt((uint64_t)(uintptr_t)boot_pml4);
        table = table_below(&table[(virt >> 39) & 511]);
        table = table_below(&table[(virt >> 30) & 511]);
        uint64_t *entry = &table[(virt >> 21) & 511];
        bool large = ((virt | phys) & (LARGE_BYTES - 1)) == 0 && end - virt >= LARGE_BYTES;
        if ((*entry & PTE_PRESENT) != 0 && (*entry & PTE_LARGE) != 0) {
            large = true; /* mapped before */
        } else if (large && (*entry & PTE_PRESENT) == 0) {
            *entry = phys | flags | PTE_LARGE;
        } else {
            large = false;
            table = table_below(entry);
            table[(virt >> 12) & 511] = phys | flags;
        }
        uint64_t step = large ? LARGE_BYTES - (virt & (LARGE_BYTES - 1)) : SMALL_BYTES;
        virt += step;
        phys += step;
    }
}

void x86_paging_map_ram(uint64_t phys, uint64_t bytes)
{
    uint64_t start = phys < X86_LOW_4G ? X86_LOW_4G : phys & ~(LARGE_BYTES - 1);
    uint64_t end = (phys + bytes + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
    if (end > start)
        map(X86_DIRECT_BASE + start, start, end - start, PTE_PRESENT | PTE_WRITE | PTE_NX);
}

volatile void *arch_map_mmio(uint64_t phys, uint64_t bytes)
{
    uint64_t start = phys & ~(SMALL_BYTES - 1);
    uint64_t end = (phys + bytes + SMALL_BYTES - 1) & ~(SMALL_BYTES - 1);
    map(X86_MMIO_BASE + start, start, end - start, PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_UNCACHED);
    return (volatile void *)(uintptr_t)(X86_MMIO_BASE + phys);
}
