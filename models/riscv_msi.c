// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's MSI page tables and interrupt files in memory [RISC-V IOMMU 2.3.3;
 * RISC-V AIA 9.5].
 */
#include "models/riscv_internal.h"

#include <string.h>

bool riscv_is_msi(const struct riscv_context *context, uint64_t address)
{
    uint64_t mask = context->word[5];

    return FIELD64(context->word[4], 63, 60) == 1 &&
           ((address >> 12) & ~mask) == (context->word[6] & ~mask);
}

static uint64_t file_number(uint64_t page, uint64_t mask)
{
    uint64_t number = 0;

    for (unsigned bit = 64; bit-- > 0;) {
        if ((mask >> bit & 1) != 0)
            number = number << 1 | (page >> bit & 1);
    }
    return number;
}

/* Sets the bit of an identity; a notice goes out where it is enabled. */
static uint16_t store_in_memory(struct riscv_model *unit, const uint64_t entry[2], uint32_t data)
{
    sluice_phys_t at = (FIELD64(entry[0], 53, 7) << 9) + (data >> 6) * 16ull;
    uint64_t bit = BIT64(data & 63), part[2];
    uint32_t identity = (uint32_t)(FIELD64(entry[1], 9, 0) | FIELD64(entry[1], 60, 60) << 10);

    if (!model_host_read(unit->host, at, part, sizeof(part)))
        return CAUSE_MRIF;
    part[0] |= bit;
    if (!model_host_write(unit->host, at, part, 8))
        return CAUSE_MRIF;
    if ((part[1] & bit) == 0)
        return 0;
    unit->stats.notices++;
    model_host_post_msi(unit->host, FIELD64(entry[1], 53, 10) << 12, identity);
    return 0;
}

uint16_t riscv_msi(struct riscv_model *unit, const struct riscv_context *context,
                   const struct model_dma_request *request, const void *data, size_t bytes)
{
    uint64_t file = file_number(request->address >> 12, context->word[5]);
    sluice_phys_t at = (FIELD64(context->word[4], 43, 0) << 12) | file * 16;
    uint64_t entry[2];
    uint32_t value = 0;

    if (!riscv_fetch(unit, at, &entry[0]) || !riscv_fetch(unit, at + 8, &entry[1]))
        return CAUSE_MSI_LOAD;
    if ((entry[0] & 1) == 0)
        return CAUSE_MSI_INVALID;
    if (!request->write || bytes != sizeof(value) || FIELD64(entry[0], 63, 63) != 0)
        return CAUSE_MSI_BAD;
    memcpy(&value, data, sizeof(value));
    if (FIELD64(entry[0], 2, 1) == 3) {
        if ((entry[0] & (MASK64(9, 3) | MASK64(62, 54))) != 0)
            return CAUSE_MSI_BAD;
        model_host_post_msi(unit->host,
                            (FIELD64(entry[0], 53, 10) << 12) | (request->address & 0xfff), value);
        return 0;
    }
    if (FIELD64(entry[0], 2, 1) != 1 || (entry[0] & (MASK64(6, 3) | MASK64(62, 54))) != 0 ||
        (entry[1] & (MASK64(59, 54) | MASK64(63, 61))) != 0 || value > 2047)
        return CAUSE_MSI_BAD;
    return store_in_memory(unit, entry, value);
}
