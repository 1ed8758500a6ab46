// SPDX-License-Identifier: MIT
/*
 * Watches. See watch.h.
 */
#include "fault/watch.h"

static _Atomic(struct watch *) *bucket_of(struct watches *watches, const char *unit, uint32_t id)
{
    uint64_t key = ((uintptr_t)unit >> 6) * 31u + id;

    return &watches->buckets[(key ^ (key >> 8)) % WATCH_BUCKETS];
}

static bool is_of(const struct watch *watch, const char *unit, uint32_t id)
{
    return atomic_load_explicit(&watch->unit, memory_order_relaxed) == unit &&
           atomic_load_explicit(&watch->id, memory_order_relaxed) == id;
}

struct watch *watch_find(struct watches *watches, const char *unit, uint32_t id)
{
    /* Acquire: what it holds was written before; pairs with the release in watch_get_locked. */
    struct watch *watch = atomic_load_explicit(bucket_of(watches, unit, id), memory_order_acquire);

    while (watch != NULL && !is_of(watch, unit, id))
        watch = watch->next;
    return watch;
}

static void take_limits(struct watch *watch, const struct watch_limits *limits)
{
    unsigned most = limits->most < SLUICE_FAULTS_MOST ? limits->most : SLUICE_FAULTS_MOST;

    atomic_store_explicit(&watch->window_ns, limits->window_ns, memory_order_relaxed);
    atomic_store_explicit(&watch->most, most, memory_order_relaxed);
    atomic_store_explicit(&watch->flood_window_ns, limits->flood_window_ns, memory_order_relaxed);
    atomic_store_explicit(&watch->flood_most, limits->flood_most, memory_order_relaxed);
}

/*
 * Two CPUs that meet the same stranger for the first time may give it two watches: the first one is
 * found from then on, and the other one is dismissed as everybody's is who keeps quiet.
 */
struct watch *watch_stranger(struct watches *watches, const char *unit, uint32_t id,
                             const struct watch_limits *limits)
{
    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        struct watch *watch = &watches->strangers[i];

        /* Acquire: whose it is was written before; pairs with the release below. */
        if (atomic_load_explicit(&watch->state, memory_order_acquire) == WATCH_THERE &&
            is_of(watch, unit, id))
            return watch;
    }
    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        struct watch *watch = &watches->strangers[i];
        unsigned state = WATCH_FREE;

        if (!atomic_compare_exchange_strong_explicit(&watch->state, &state, WATCH_MADE,
                                                     memory_order_acquire, memory_order_relaxed))
            continue;
        atomic_store_explicit(&watch->unit, unit, memory_order_relaxed);
        atomic_store_explicit(&watch->id, id, memory_order_relaxed);
        take_limits(watch, limits);
        atomic_store_explicit(&watch->state, WATCH_THERE, memory_order_release);
        return watch;
    }
    return &watches->crowd;
}

/* Who found it just before counts into it all the same: the next one's numbers begin with that. */
void watch_dismiss_locked(struct watch *watch)
{
    watch_reset(watch);
    watch->cannot_silence = false;
    atomic_store_explicit(&watch->state, WATCH_FREE, memory_order_release);
}

bool watch_keep_line(struct watch *watch, const struct sluice_fault *fault, unsigned most)
{
    struct watch_lines *lines = &watch->lines;
    unsigned place = UINT32_MAX;

    if (atomic_load_explicit(&watch->tested, memory_order_relaxed) != 0)
        return false;
    /* Looked at first, so that a storm does not count round. */
    if (atomic_load_explicit(&lines->taken, memory_order_acquire) < most)
        place = atomic_fetch_add_explicit(&lines->taken, 1, memory_order_acquire);
    if (place < most) {
        fault_words_store(lines->lines[place].words, fault);
        /* Release: the words are there; pairs with the acquire of who prints them. */
        atomic_store_explicit(&lines->lines[place].ready, 1, memory_order_release);
    }
    /* Release, and after its line: whoever counts this one finds its line ready. */
    atomic_fetch_add_explicit(&lines->seen, 1, memory_order_release);
    return true;
}

enum sluice_status watch_get_locked(struct sluice *sluice, struct watches *watches,
                                    const struct unit *unit, uint32_t id,
                                    const struct watch_limits *limits)
{
    _Atomic(struct watch *) *bucket = bucket_of(watches, unit->name, id);
    struct watch *watch = watch_find(watches, unit->name, id);
    bool made = watch == NULL;

    if (made) {
        watch = host_alloc(sluice, sizeof(*watch));
        if (watch == NULL)
            return SLUICE_ERR_NO_MEMORY;
        atomic_init(&watch->unit, unit->name);
        atomic_init(&watch->id, id);
        atomic_init(&watch->state, WATCH_THERE);
    }
    watch_reset(watch);
    take_limits(watch, limits);
    if (made) {
        watch->next = atomic_load_explicit(bucket, memory_order_relaxed);
        atomic_store_explicit(bucket, watch, memory_order_release);
    }
    return SLUICE_OK;
}

void watch_reset(struct watch *watch)
{
    atomic_store_explicit(&watch->faults, 0, memory_order_relaxed);
    for (unsigned i = 0; i < SLUICE_FAULTS_MOST; i++)
        atomic_store_explicit(&watch->times[i], 0, memory_order_relaxed);
    atomic_store_explicit(&watch->flood_count, 0, memory_order_relaxed);
    atomic_store_explicit(&watch->flooding, 0, memory_order_relaxed);
    atomic_store_explicit(&watch->tripped, 0, memory_order_release);
}

/*
 * One window behind the other, not one that slides: to count thousands costs as much as to count
 * ten. Two that begin a window at once lose a fault or two of it.
 */
bool watch_flood(struct watch *watch, uint64_t now_ns)
{
    unsigned most = atomic_load_explicit(&watch->flood_most, memory_order_relaxed);
    uint64_t began = atomic_load_explicit(&watch->flood_began_ns, memory_order_relaxed);

    if (most == 0)
        return false;
    if (now_ns - began > atomic_load_explicit(&watch->flood_window_ns, memory_order_relaxed)) {
        atomic_store_explicit(&watch->flood_began_ns, now_ns, memory_order_relaxed);
        atomic_store_explicit(&watch->flood_count, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&watch->flood_count, 1, memory_order_relaxed) + 1 < most)
        return false;
    /* Counted anew: a unit that was told to be silent and is not will be told again. */
    atomic_store_explicit(&watch->flood_count, 0, memory_order_relaxed);
    atomic_store_explicit(&watch->flooding, 1, memory_order_relaxed);
    return true;
}

bool watch_flood_take(struct watch *watch)
{
    return atomic_exchange_explicit(&watch->flooding, 0, memory_order_relaxed) != 0;
}

bool watch_count(struct watch *watch, uint64_t now_ns)
{
    unsigned most = atomic_load_explicit(&watch->most, memory_order_relaxed);
    uint64_t window_ns = atomic_load_explicit(&watch->window_ns, memory_order_relaxed);
    unsigned turn;
    uint64_t first;

    if (atomic_load_explicit(&watch->tested, memory_order_relaxed) != 0) {
        atomic_fetch_add_explicit(&watch->provoked, 1, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add_explicit(&watch->faults, 1, memory_order_relaxed);
    atomic_store_explicit(&watch->last_ns, now_ns, memory_order_relaxed);
    if (most == 0)
        return false;
    /* The first of the last `most` is where this one goes in the next round: one slot further. */
    turn = atomic_fetch_add_explicit(&watch->turn, 1, memory_order_relaxed);
    /* 0 stands for none, so that a clock that begins there loses a nanosecond. */
    atomic_store_explicit(&watch->times[turn % most], now_ns != 0 ? now_ns : 1,
                          memory_order_relaxed);
    first = atomic_load_explicit(&watch->times[(turn + 1) % most], memory_order_relaxed);
    return first != 0 && now_ns - first <= window_ns &&
           atomic_exchange_explicit(&watch->tripped, 1, memory_order_acq_rel) == 0;
}

unsigned watch_recent(struct watch *watch, uint64_t now_ns)
{
    uint64_t window_ns = atomic_load_explicit(&watch->window_ns, memory_order_relaxed);
    unsigned most = atomic_load_explicit(&watch->most, memory_order_relaxed);
    unsigned recent = 0;

    /* Without a threshold only the last one's time is kept. */
    if (most == 0)
        return atomic_load_explicit(&watch->faults, memory_order_relaxed) != 0 &&
               now_ns - atomic_load_explicit(&watch->last_ns, memory_order_relaxed) <= window_ns;
    for (unsigned i = 0; i < most; i++) {
        uint64_t time = atomic_load_explicit(&watch->times[i], memory_order_relaxed);

        recent += time != 0 && now_ns - time <= window_ns;
    }
    return recent;
}

void watches_clear(struct sluice *sluice, struct watches *watches)
{
    for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
        watches->strangers[i].silenced = false;
        watch_dismiss_locked(&watches->strangers[i]);
    }
    for (unsigned i = 0; i < WATCH_BUCKETS; i++) {
        struct watch *watch = atomic_load_explicit(&watches->buckets[i], memory_order_relaxed);

        atomic_store_explicit(&watches->buckets[i], NULL, memory_order_relaxed);
        while (watch != NULL) {
            struct watch *next = watch->next;

            host_free(sluice, watch, sizeof(*watch));
            watch = next;
        }
    }
}
