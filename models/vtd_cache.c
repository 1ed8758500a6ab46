// SPDX-License-Identifier: MIT
/*
 * The VT-d model's caches [6.2]: context entries by requester; translations (in 4 KiB pieces) and
 * pointers to tables by domain ID. Nothing leaves them but by invalidation or vtd_model_evict.
 */
#include "models/vtd_internal.h"

#include <stdlib.h>

static uint64_t index_of(unsigned level, uint64_t address)
{
    return address >> (12 + 9 * level);
}

static unsigned bucket_of(uint16_t did, unsigned level, uint64_t index)
{
    uint64_t hash = (index ^ (uint64_t)did << 20 ^ (uint64_t)level << 40) * 0x9e3779b97f4a7c15u;

    return (unsigned)(hash >> 54) % CACHE_BUCKETS;
}

struct cached *vtd_cache_find(struct vtd_model *unit, uint16_t did, unsigned level,
                              uint64_t address)
{
    uint64_t index = index_of(level, address);
    struct cached *entry;

    for (entry = unit->buckets[bucket_of(did, level, index)]; entry != NULL; entry = entry->next) {
        if (entry->did == did && entry->level == level && entry->index == index)
            return entry;
    }
    return NULL;
}

void vtd_cache_add(struct vtd_model *unit, const struct cached *what)
{
    struct cached *entry = malloc(sizeof(*entry));
    struct cached **bucket = &unit->buckets[bucket_of(what->did, what->level, what->index)];

    if (entry == NULL)
        abort();
    *entry = *what;
    entry->next = *bucket;
    *bucket = entry;
    unit->cached_count++;
}

static bool overlaps(const struct cached *entry, uint64_t first, uint64_t last)
{
    unsigned shift = 12u + 9u * entry->level;
    uint64_t begin = entry->index << shift;
    uint64_t end_last = begin + (BIT64(shift) - 1);

    return begin <= last && first <= end_last;
}

/* Drops by domain (or all, when `any`) what overlaps a range. */
static void drop(struct vtd_model *unit, bool any, uint16_t did, uint64_t first, uint64_t last,
                 bool leaves_only)
{
    for (unsigned i = 0; i < CACHE_BUCKETS; i++) {
        struct cached **at = &unit->buckets[i];

        while (*at != NULL) {
            struct cached *entry = *at;

            if ((!any && entry->did != did) || (leaves_only && entry->level != 0) ||
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

void vtd_cache_drop_all(struct vtd_model *unit)
{
    drop(unit, true, 0, 0, UINT64_MAX, false);
}

void vtd_cache_drop_domain(struct vtd_model *unit, uint16_t did)
{
    drop(unit, false, did, 0, UINT64_MAX, false);
}

void vtd_cache_drop_range(struct vtd_model *unit, uint16_t did, uint64_t first, uint64_t last,
                          bool leaves_only)
{
    drop(unit, false, did, first, last, leaves_only);
}

struct cached_context *vtd_context_find(struct vtd_model *unit, uint16_t rid)
{
    for (unsigned i = 0; i < unit->context_count; i++) {
        if (unit->contexts[i].rid == rid)
            return &unit->contexts[i];
    }
    return NULL;
}

struct cached_context *vtd_context_add(struct vtd_model *unit, const struct cached_context *what)
{
    if (unit->context_count == CONTEXTS_MAX)
        unit->context_count--; /* caches may forget */
    unit->contexts[unit->context_count] = *what;
    return &unit->contexts[unit->context_count++];
}

void vtd_context_drop(struct vtd_model *unit, enum vtd_reach reach, uint16_t did, uint16_t rid,
                      unsigned function_mask)
{
    /* FM masks the top function bits first: 1 bit 2, 2 bits 2:1, 3 bits 2:0 [6.5.1.1]. */
    static const uint16_t masked[] = {0, 0x4, 0x6, 0x7};
    uint16_t compare = (uint16_t)~masked[function_mask & 3u];
    unsigned kept = 0;

    for (unsigned i = 0; i < unit->context_count; i++) {
        const struct cached_context *entry = &unit->contexts[i];
        bool gone = reach == REACH_GLOBAL || entry->did == did;

        if (reach == REACH_NARROW && ((entry->rid ^ rid) & compare) != 0)
            gone = false;
        if (!gone)
            unit->contexts[kept++] = *entry;
    }
    unit->context_count = kept;
}
