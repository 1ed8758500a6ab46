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

/* A message, or a notice: any page is good enough for them [RISC-V AIA 9.5.2]. */
static void deliver(struct riscv_model *unit, sluice_phys_t address, uint32_t data)
{
    if (model_host_write(unit->host, address, &data, sizeof(data)))
        return;
    if (unit->sink != NULL)
        unit->sink(unit->sink_arg, address, data);
    else
        model_host_post_msi(unit->host, address, data);
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
    deliver(unit, FIELD64(entry[1], 53, 10) << 12, identity);
    return 0;
}

/* 0 and entry, or a cause. What is not valid is not cached; what is has the guest for a tag. */
static uint16_t entry_of(struct riscv_model *unit, const struct riscv_context *context,
                         uint64_t page, uint64_t entry[2])
{
    struct riscv_message read = {.tag = (uint32_t)FIELD64(context->word[1], 59, 44), .page = page};
    sluice_phys_t at =
        (FIELD64(context->word[4], 43, 0) << 12) | file_number(page, context->word[5]) * 16;

    for (unsigned i = 0; i < unit->message_count; i++) {
        const struct riscv_message *known = &unit->messages[i];

        if (known->tag == read.tag && known->page == page) {
            memcpy(entry, known->word, sizeof(known->word));
            return 0;
        }
    }
    if (!riscv_fetch(unit, at, &read.word[0]) || !riscv_fetch(unit, at + 8, &read.word[1]))
        return CAUSE_MSI_LOAD;
    if ((read.word[0] & 1) == 0)
        return CAUSE_MSI_INVALID;
    if (unit->message_count == MESSAGES_MAX)
        unit->message_count = 0;
    unit->messages[unit->message_count++] = read;
    memcpy(entry, read.word, sizeof(read.word));
    return 0;
}

uint16_t riscv_msi(struct riscv_model *unit, const struct riscv_context *context,
                   const struct model_dma_request *request, const void *data, size_t bytes)
{
    uint64_t entry[2];
    uint32_t value = 0;
    uint16_t cause = entry_of(unit, context, request->address >> 12, entry);

    if (cause != 0)
        return cause;
    if (!request->write || bytes != sizeof(value) || FIELD64(entry[0], 63, 63) != 0)
        return CAUSE_MSI_BAD;
    memcpy(&value, data, sizeof(value));
    if (FIELD64(entry[0], 2, 1) == 3) {
        if ((entry[0] & (MASK64(9, 3) | MASK64(62, 54))) != 0)
            return CAUSE_MSI_BAD;
        deliver(unit, (FIELD64(entry[0], 53, 10) << 12) | (request->address & 0xfff), value);
        return 0;
    }
    if (!unit->config.mrif || FIELD64(entry[0], 2, 1) != 1 ||
        (entry[0] & (MASK64(6, 3) | MASK64(62, 54))) != 0 ||
        (entry[1] & (MASK64(59, 54) | MASK64(63, 61))) != 0 || value > 2047)
        return CAUSE_MSI_BAD;
    return store_in_memory(unit, entry, value);
}
