// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's caches: device table entries by requester; translations (in 4 KiB pieces) and
 * pointers to tables by domain. Nothing leaves them but by commands or amdvi_model_evict.
 */
#include "models/amdvi_internal.h"

#include <stdlib.h>

static uint64_t index_of(unsigned level, uint64_t address)
{
    return address >> (12 + 9 * level);
}

static unsigned bucket_of(uint16_t domain, unsigned level, uint64_t index)
{
    uint64_t hash = (index ^ (uint64_t)domain << 20 ^ (uint64_t)level << 40) * 0x9e3779b97f4a7c15u;

    return (unsigned)(hash >> 54) % CACHE_BUCKETS;
}

struct amdvi_cached *amdvi_cache_find(struct amdvi_model *unit, uint16_t domain, unsigned level,
                                      uint64_t address)
{
    uint64_t index = index_of(level, address);
    struct amdvi_cached *entry = unit->buckets[bucket_of(domain, level, index)];

    while (entry != NULL &&
           (entry->domain != domain || entry->level != level || entry->index != index))
        entry = entry->next;
    return entry;
}

void amdvi_cache_add(struct amdvi_model *unit, const struct amdvi_cached *what)
{
    struct amdvi_cached *entry = malloc(sizeof(*entry));
    struct amdvi_cached **bucket =
        &unit->buckets[bucket_of(what->domain, what->level, what->index)];

    if (entry == NULL)
        abort();
    *entry = *what;
    entry->next = *bucket;
    *bucket = entry;
    unit->cached_count++;
}

static bool overlaps(const struct amdvi_cached *entry, uint64_t first, uint64_t last)
{
    unsigned shift = 12u + 9u * entry->level;
    uint64_t begin = entry->index << shift;

    return begin <= last && first <= begin + (BIT64(shift) - 1);
}

static void drop(struct amdvi_model *unit, bool any, uint16_t domain, uint64_t first, uint64_t last,
                 bool leaves_only)
{
    for (unsigned i = 0; i < CACHE_BUCKETS && unit->cached_count > 0; i++) {
        struct amdvi_cached **at = &unit->buckets[i];

        while (*at != NULL) {
            struct amdvi_cached *entry = *at;

            if ((!any && entry->domain != domain) || (leaves_only && entry->level != 0) ||
                !overlaps(entry, first, last)) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            unit->cached_count--;
        }
    }
}

void amdvi_cache_drop_all(struct amdvi_model *unit)
{
    drop(unit, true, 0, 0, UINT64_MAX, false);
}

void amdvi_cache_drop_range(struct amdvi_model *unit, uint16_t domain, uint64_t first,
                            uint64_t last, bool leaves_only)
{
    drop(unit, false, domain, first, last, leaves_only);
}

const struct amdvi_cached_entry *amdvi_entry_find(struct amdvi_model *unit, uint16_t rid)
{
    for (unsigned i = 0; i < unit->entry_count; i++) {
        if (unit->entries[i].rid == rid)
            return &unit->entries[i];
    }
    return NULL;
}

void amdvi_entry_add(struct amdvi_model *unit, const struct amdvi_cached_entry *what)
{
    if (unit->entry_count == ENTRIES_MAX)
        unit->entry_count--; /* caches may forget */
    unit->entries[unit->entry_count++] = *what;
}

void amdvi_entry_drop(struct amdvi_model *unit, uint16_t rid)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < unit->entry_count; i++) {
        if (unit->entries[i].rid != rid)
            unit->entries[kept++] = unit->entries[i];
    }
    unit->entry_count = kept;
}
