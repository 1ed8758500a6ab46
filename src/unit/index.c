// SPDX-License-Identifier: MIT
/*
 * Runs of entries, first fit from where the last one ended.
 */
#include "unit/index.h"

#define WORD_BITS 32u

static size_t words_bytes(uint32_t total)
{
    return ((size_t)(total - 1) / WORD_BITS + 1) * sizeof(uint32_t);
}

static bool is_used(const struct unit_index *index, uint32_t at)
{
    return (index->words[at / WORD_BITS] >> (at % WORD_BITS) & 1u) != 0;
}

bool unit_index_init(struct sluice *sluice, struct unit_index *index, uint32_t total)
{
    *index = (struct unit_index){.total = total};
    index->words = host_alloc(sluice, words_bytes(total));
    return index->words != NULL;
}

void unit_index_free(struct sluice *sluice, struct unit_index *index)
{
    if (index->words != NULL)
        host_free(sluice, index->words, words_bytes(index->total));
    index->words = NULL;
}

/* How many of `count` from `first` are free before the first that is not. */
static uint32_t free_run(const struct unit_index *index, uint32_t first, uint32_t count)
{
    uint32_t run = 0;

    while (run < count && !is_used(index, first + run))
        run++;
    return run;
}

/* Looks for a run that begins in [from, end). */
static bool find(const struct unit_index *index, uint32_t from, uint32_t end, uint32_t count,
                 uint32_t align, uint32_t *out_first)
{
    uint32_t at = (from + align - 1) & ~(align - 1);

    while (at < end && at + count <= index->total) {
        uint32_t run = free_run(index, at, count);

        if (run == count) {
            *out_first = at;
            return true;
        }
        at = (at + run + 1 + align - 1) & ~(align - 1);
    }
    return false;
}

enum sluice_status unit_index_take(struct unit_index *index, uint32_t count, uint32_t align,
                                   uint32_t *out_first)
{
    if (count == 0 || count > index->total)
        return SLUICE_ERR_NO_SPACE;
    if (!find(index, index->next, index->total, count, align, out_first) &&
        !find(index, 0, index->next, count, align, out_first))
        return SLUICE_ERR_NO_SPACE;
    for (uint32_t at = *out_first; at < *out_first + count; at++)
        index->words[at / WORD_BITS] |= 1u << (at % WORD_BITS);
    index->used += count;
    index->next = (*out_first + count) % index->total;
    return SLUICE_OK;
}

void unit_index_give(struct unit_index *index, uint32_t first, uint32_t count)
{
    for (uint32_t at = first; at < first + count; at++)
        index->words[at / WORD_BITS] &= ~(1u << (at % WORD_BITS));
    index->used -= count;
}

bool unit_index_init_tags(struct sluice *sluice, struct unit_index *index, uint32_t total)
{
    uint32_t nobody;

    return unit_index_init(sluice, index, total) &&
           unit_index_take_tag(index, &nobody) == SLUICE_OK;
}

enum sluice_status unit_index_take_tag(struct unit_index *index, uint32_t *out_tag)
{
    return unit_index_take(index, 1, 1, out_tag);
}

enum sluice_status unit_index_give_tag(struct unit_index *index, const struct unit *unit,
                                       uint32_t tag, enum sluice_status confirmed)
{
    if (confirmed == SLUICE_OK) {
        unit_index_give(index, tag, 1);
        return SLUICE_OK;
    }
    index->withheld++;
    log_error(unit->sluice, "%s: ID %u is not used again: its translations may live on", unit->name,
              (unsigned)tag);
    return confirmed;
}
