// SPDX-License-Identifier: MIT
/*
 * A guest's tables as an SMMUv3 walks them: one context descriptor, and stage 1 with 4 KiB pages
 * and 39 bits of input [SMMU 5.4, Arm ARM D8.3]. Written apart from the library's own.
 *
 * By page: the descriptor, the first level, the second level, then third levels as they are needed.
 * There is one second level, which every GiB that is used shares.
 */
#include "arch.h"

#define PAGE        4096ull
#define ENTRIES     512u
#define THIRD_FIRST 3u
#define PAGES       (1u << ARCH_FIRST_STAGE_ORDER)

#define TABLE   3u
#define LEAF    (3u | 1u << 6 | 3u << 8 | 1u << 10 | 1u << 11) /* page, user, inner, AF, nG */
#define ADDRESS UINT64_C(0x0000fffffffff000)

/* 25 unused bits; write-back, inner shareable; no upper half; valid; 44 bits of output; AArch64;
 * faults recorded and aborted; the ASID not a CPU's. */
#define CONTEXT                                                                                    \
    (25u | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | UINT64_C(1) << 31 | UINT64_C(4) << 32 |      \
     UINT64_C(1) << 41 | UINT64_C(1) << 45 | UINT64_C(1) << 46 | UINT64_C(1) << 47 |               \
     (uint64_t)ARCH_FIRST_STAGE_TAG << 48)

static uint64_t *table(uint8_t *memory, unsigned page)
{
    return (uint64_t *)(void *)(memory + (size_t)page * PAGE);
}

bool arch_first_stage_make(uint8_t *memory, uint64_t guest_address, struct sluice_nested_info *out)
{
    uint64_t *context = table(memory, 0);

    context[0] = CONTEXT;
    context[1] = guest_address + PAGE;
    context[3] = 0xff; /* attribute 0: write-back */
    *out =
        (struct sluice_nested_info){.format = SLUICE_NESTED_SMMU_V3,
                                    .smmu3 = {.contexts = guest_address, .without_substream = 2}};
    return true;
}

void arch_first_stage_map(uint8_t *memory, uint64_t guest_address, uint64_t device_address,
                          uint64_t to)
{
    uint64_t *second = table(memory, 2) + (device_address >> 21) % ENTRIES;
    unsigned page = THIRD_FIRST;

    table(memory, 1)[device_address >> 30] = (guest_address + 2 * PAGE) | TABLE;
    for (unsigned i = 0; i < ENTRIES && *second == 0; i++)
        page += table(memory, 2)[i] != 0;
    if (page >= PAGES)
        return;
    if (*second == 0)
        *second = (guest_address + (uint64_t)page * PAGE) | TABLE;
    page = (unsigned)(((*second & ADDRESS) - guest_address) / PAGE);
    table(memory, page)[(device_address >> 12) % ENTRIES] = to | LEAF;
}
