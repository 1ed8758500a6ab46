// SPDX-License-Identifier: MIT
/*
 * The allocator's front: what is taken from this CPU's magazine in use and put back into it, and
 * where everything else goes. Called by src/dma/space.c, map.c and flush.c.
 */
#include "dma/iova.h"

#define IOVA_FREE_BURST 32u /**< ranges given back before other work may run on the CPU again */

/** What the magazine in use does not have. Out of line, so that the short way saves no registers.
 */
static __attribute__((noinline)) enum sluice_status
alloc_hard(struct iova *iova, uint64_t pages, sluice_iova_t last, sluice_iova_t *out)
{
    unsigned class_lg2 = range_class_of(pages);
    sluice_irqstate_t state;
    struct iova_cpu *cpu;
    bool done = false;

    if (pages - 1 >= IOVA_BLOCK_PAGES)
        return pages == 0 ? SLUICE_ERR_INVALID : iova_alloc_large(iova, pages, 0, 0, last, out);
    cpu = iova_cpu_enter(iova, &state);
    if (cpu != NULL) {
        done = iova_cpu_alloc(iova, cpu, class_lg2, last, out);
        if (done)
            iova_count(&cpu->counts.allocs);
    }
    iova_cpu_leave(cpu, state);
    return done ? SLUICE_OK : iova_alloc_last_resort(iova, class_lg2, last, out);
}

enum sluice_status iova_alloc(struct iova *iova, uint64_t pages, sluice_iova_t last,
                              sluice_iova_t *out)
{
    unsigned class_lg2 = range_class_of(pages);
    struct iova_magazine *magazine;
    sluice_irqstate_t state;
    struct iova_cpu *cpu;
    unsigned zone;

    if (__builtin_expect(pages - 1 >= IOVA_BLOCK_PAGES, 0))
        return alloc_hard(iova, pages, last, out);
    zone = last > UINT32_MAX ? iova->wide_zone : iova_zone_of(last);
    cpu = iova_cpu_enter(iova, &state);
    if (__builtin_expect(cpu != NULL, 1)) {
        magazine = cpu->loaded[iova_bin(zone, class_lg2)];
        if (__builtin_expect(magazine->count != 0, 1) &&
            __builtin_expect(iova_within(magazine->at[magazine->count - 1], class_lg2, last), 1)) {
            *out = magazine->at[--magazine->count];
            iova_count(&cpu->counts.allocs);
            iova_cpu_leave(cpu, state);
            return SLUICE_OK;
        }
    }
    iova_cpu_leave(cpu, state);
    return alloc_hard(iova, pages, last, out);
}

/** For CPUs that have no magazines. */
static void free_uncached(struct iova *iova, sluice_iova_t at, unsigned class_lg2)
{
    iova_give_block(iova, at, class_lg2);
    atomic_fetch_add_explicit(&iova->shared.frees, 1, memory_order_relaxed);
}

/** What the magazine in use has no room for. */
static __attribute__((noinline)) void free_hard(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    unsigned class_lg2 = range_class_of(pages);
    sluice_irqstate_t state;
    struct iova_cpu *cpu;

    if (pages - 1 >= IOVA_BLOCK_PAGES) {
        iova_free_large(iova, at, pages);
        return;
    }
    cpu = iova_cpu_enter(iova, &state);
    if (cpu != NULL) {
        iova_cpu_free(iova, cpu, iova_bin(iova_zone_of(at), class_lg2), at);
        iova_count(&cpu->counts.frees);
    }
    iova_cpu_leave(cpu, state);
    if (cpu == NULL)
        free_uncached(iova, at, class_lg2);
}

void iova_free(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    struct iova_magazine *magazine;
    sluice_irqstate_t state;
    struct iova_cpu *cpu;

    if (__builtin_expect(pages - 1 < IOVA_BLOCK_PAGES, 1)) {
        cpu = iova_cpu_enter(iova, &state);
        if (__builtin_expect(cpu != NULL, 1)) {
            magazine = cpu->loaded[iova_bin(iova_zone_of(at), range_class_of(pages))];
            if (__builtin_expect(magazine->count < magazine->capacity, 1)) {
                magazine->at[magazine->count++] = at;
                iova_count(&cpu->counts.frees);
                iova_cpu_leave(cpu, state);
                return;
            }
        }
        iova_cpu_leave(cpu, state);
    }
    free_hard(iova, at, pages);
}

/** The addresses of a zone: [first, first + span]. */
static sluice_iova_t zone_first(unsigned zone)
{
    return zone == RANGE_ZONE_64   ? (sluice_iova_t)1 << 32
           : zone == RANGE_ZONE_32 ? (sluice_iova_t)1 << 24
                                   : 0;
}

static uint64_t zone_span(unsigned zone)
{
    return zone == RANGE_ZONE_64   ? UINT64_MAX - zone_first(zone)
           : zone == RANGE_ZONE_32 ? ((uint64_t)1 << 32) - 1 - zone_first(zone)
                                   : ((uint64_t)1 << 24) - 1;
}

static inline uint64_t word_of(const atomic_uint_fast64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/** Pushes the single pages that a list begins with, as far as one zone and one magazine go. */
static unsigned push_pages(struct iova_cpu *cpu, const atomic_uint_fast64_t *words, unsigned count)
{
    unsigned zone = iova_zone_of(word_of(words));
    struct iova_magazine *magazine = cpu->loaded[iova_bin(zone, 0)];
    sluice_iova_t first = zone_first(zone);
    uint64_t span = zone_span(zone);
    unsigned room = magazine->capacity - magazine->count;
    unsigned i;

    count = count < room ? count : room;
    for (i = 0; i < count; i++) {
        uint64_t word = word_of(&words[i]);

        if (word - first > span || iova_word_pages(word) != 1)
            break;
        magazine->at[magazine->count + i] = word;
    }
    /* Not for the magazine that stands for none, which nobody may write to. */
    if (i != 0)
        magazine->count += i;
    return i;
}

static void push_block(struct iova *iova, struct iova_cpu *cpu, uint64_t word)
{
    sluice_iova_t at = iova_word_at(word);
    unsigned bin = iova_bin(iova_zone_of(at), range_class_of(iova_word_pages(word)));
    struct iova_magazine *magazine = cpu->loaded[bin];

    if (magazine->count < magazine->capacity)
        magazine->at[magazine->count++] = at;
    else
        iova_cpu_free(iova, cpu, bin, at);
}

/** Gives back as many of a list as this CPU takes without leaving it; returns how many. */
static unsigned free_cached(struct iova *iova, struct iova_cpu *cpu,
                            const atomic_uint_fast64_t *words, unsigned count)
{
    unsigned i = 0;

    while (i < count) {
        i += push_pages(cpu, &words[i], count - i);
        if (i == count || iova_word_pages(word_of(&words[i])) > IOVA_BLOCK_PAGES)
            break;
        push_block(iova, cpu, word_of(&words[i++]));
    }
    iova_count_all(&cpu->counts.frees, i);
    return i;
}

void iova_free_list(struct iova *iova, const atomic_uint_fast64_t *words, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        unsigned now = count - done < IOVA_FREE_BURST ? count - done : IOVA_FREE_BURST;
        sluice_irqstate_t state;
        struct iova_cpu *cpu = iova_cpu_enter(iova, &state);

        now = cpu != NULL ? free_cached(iova, cpu, &words[done], now) : 0;
        iova_cpu_leave(cpu, state);
        done += now;
        if (now == 0) { /* no magazines here, or too long for them */
            uint64_t word = word_of(&words[done]);

            iova_free(iova, iova_word_at(word), iova_word_pages(word));
            done++;
        }
    }
}
