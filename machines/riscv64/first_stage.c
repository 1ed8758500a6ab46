// SPDX-License-Identifier: MIT
/*
 * A guest's tables as a RISC-V IOMMU walks them: one first stage, Sv39 [RISC-V IOMMU 2.1.3.4,
 * RISC-V Privileged Sv39]. Written apart from the library's own.
 *
 * By page: the root, the second level, then third levels as they are needed. There is one second
 * level, which every GiB that is used shares.
 */
#include "arch.h"

#define PAGE        4096ull
#define ENTRIES     512u
#define THIRD_FIRST 2u
#define PAGES       (1u << ARCH_FIRST_STAGE_ORDER)

#define SV39  (UINT64_C(8) << 60)
#define TABLE 1u    /* valid, and nothing else */
#define LEAF  0xd7u /* valid, read, write, user, accessed, dirty */

static uint64_t *table(uint8_t *memory, unsigned page)
{
    return (uint64_t *)(void *)(memory + (size_t)page * PAGE);
}

static uint64_t entry(uint64_t address, unsigned flags)
{
    return address / PAGE << 10 | flags;
}

bool arch_first_stage_make(uint8_t *memory, uint64_t guest_address, struct sluice_nested_info *out)
{
    (void)memory;
    *out = (struct sluice_nested_info){
        .format = SLUICE_NESTED_RISCV,
        .riscv = {.first_stage = SV39 | guest_address / PAGE, .tag = ARCH_FIRST_STAGE_TAG}};
    return true;
}

void arch_first_stage_map(uint8_t *memory, uint64_t guest_address, uint64_t device_address,
                          uint64_t to)
{
    uint64_t *second = table(memory, 1) + (device_address >> 21) % ENTRIES;
    unsigned page = THIRD_FIRST;

    table(memory, 0)[device_address >> 30] = entry(guest_address + PAGE, TABLE);
    for (unsigned i = 0; i < ENTRIES && *second == 0; i++)
        page += table(memory, 1)[i] != 0;
    if (page >= PAGES)
        return;
    if (*second == 0)
        *second = entry(guest_address + (uint64_t)page * PAGE, TABLE);
    page = (unsigned)(((*second >> 10) * PAGE - guest_address) / PAGE);
    table(memory, page)[(device_address >> 12) % ENTRIES] = entry(to, LEAF);
}
