// SPDX-License-Identifier: MIT
/*
 * Two threads on one allocator, handing ranges to each other, in a space that is small enough to
 * run out now and then, while a third asks for numbers and calls for memory back. A flag for each
 * page says who has it: no page is ever given out twice. Meant to run under ThreadSanitizer too.
 */
#include "iova_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE    SLUICE_PAGE_BYTES
#define THREADS 2u
#define HELD    256u
#define MAILBOX 64u

struct held {
    sluice_iova_t at;
    uint64_t pages;
};

/** Ranges on their way to the other thread. */
struct mailbox {
    pthread_mutex_t lock;
    unsigned count;
    struct held held[MAILBOX];
};

struct shared {
    struct iova_world world;
    struct iova *iova;
    uint64_t last_page;
    uint8_t *taken; /**< changed with atomic exchange only */
    struct mailbox mailbox[THREADS];
    atomic_uint wrong, refused, running;
};

struct worker {
    struct shared *shared;
    unsigned index;
    struct world_random random;
    unsigned count;
    struct held held[HELD];
    pthread_t thread;
};

static void become(unsigned index)
{
#ifdef THREAD_CPU_H
    thread_cpu = index;
#else
    (void)index;
#endif
}

static uint64_t block_pages(uint64_t pages)
{
    uint64_t block = 1;

    if (pages > 256)
        return pages;
    while (block < pages)
        block *= 2;
    return block;
}

static void mark(struct shared *shared, const struct held *held, uint8_t value)
{
    for (uint64_t i = 0; i < block_pages(held->pages); i++) {
        uint64_t page = held->at / PAGE + i;

        if (page > shared->last_page ||
            __atomic_exchange_n(&shared->taken[page], value, __ATOMIC_RELAXED) == value)
            atomic_fetch_add(&shared->wrong, 1);
    }
}

static bool mailbox_move(struct mailbox *mailbox, struct held *held, bool in)
{
    bool moved = false;

    pthread_mutex_lock(&mailbox->lock);
    if (in && mailbox->count < MAILBOX) {
        mailbox->held[mailbox->count++] = *held;
        moved = true;
    } else if (!in && mailbox->count > 0) {
        *held = mailbox->held[--mailbox->count];
        moved = true;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return moved;
}

static void give_back(struct worker *worker, const struct held *held)
{
    mark(worker->shared, held, 0);
    iova_free(worker->shared->iova, held->at, held->pages);
}

static void take(struct worker *worker)
{
    struct held held = {.pages = 1 + random_below(&worker->random, 40)};
    enum sluice_status status;

    if (random_below(&worker->random, 50) == 0)
        held.pages = 257 + random_below(&worker->random, 300);
    status =
        iova_alloc(worker->shared->iova, held.pages,
                   random_below(&worker->random, 8) == 0 ? (1u << 25) - 1 : UINT64_MAX, &held.at);
    if (status != SLUICE_OK) {
        if (status != SLUICE_ERR_NO_SPACE)
            atomic_fetch_add(&worker->shared->wrong, 1);
        atomic_fetch_add(&worker->shared->refused, 1);
        return;
    }
    mark(worker->shared, &held, 1);
    worker->held[worker->count++] = held;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    unsigned take_share = 50;
    struct held held;

    become(worker->index);
    for (unsigned i = 0; i < test_scaled_race(60000); i++) {
        if (i % 1024 == 0)
            take_share = 20 + (unsigned)random_below(&worker->random, 60);
        if (mailbox_move(&shared->mailbox[worker->index], &held, false))
            give_back(worker, &held);
        if (worker->count > 0 &&
            (worker->count == HELD || random_below(&worker->random, 100) >= take_share)) {
            unsigned index = (unsigned)random_below(&worker->random, worker->count);

            held = worker->held[index];
            worker->held[index] = worker->held[--worker->count];
            if (random_below(&worker->random, 2) == 0 ||
                !mailbox_move(&shared->mailbox[1 - worker->index], &held, true))
                give_back(worker, &held);
        } else {
            take(worker);
        }
    }
    while (worker->count > 0)
        give_back(worker, &worker->held[--worker->count]);
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

/** Asks and trims from a CPU of its own, meanwhile. */
static void disturb(struct shared *shared)
{
    become(THREADS);
    for (unsigned i = 0; atomic_load(&shared->running) != 0; i++) {
        struct iova_stats stats;

        iova_stats(shared->iova, &stats);
        if (i % 64 == 0)
            iova_trim(shared->iova);
        sched_yield();
    }
}

static void run(uint64_t last_page, unsigned cpus)
{
    struct iova_config config = {.first = 0, .last = last_page * PAGE + PAGE - 1};
    struct worker *workers = calloc(THREADS, sizeof(*workers));
    struct shared *shared = calloc(1, sizeof(*shared));
    struct iova_stats stats;
    struct held held;

    assert_non_null(workers);
    assert_non_null(shared);
    world_init(&shared->world, cpus);
    shared->last_page = last_page;
    shared->taken = calloc(last_page + 1, sizeof(*shared->taken));
    atomic_store(&shared->running, THREADS);
    assert_int_equal(iova_create(&shared->world.sluice, &config, &shared->iova), SLUICE_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].shared = shared;
        workers[i].index = i;
        workers[i].random.state = test_seed(1) * 100 + i;
        pthread_mutex_init(&shared->mailbox[i].lock, NULL);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    disturb(shared);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        while (mailbox_move(&shared->mailbox[i], &held, false))
            give_back(&workers[0], &held);
    }
    print_message("# %u refusals\n", atomic_load(&shared->refused));
    assert_int_equal(atomic_load(&shared->wrong), 0);
    iova_stats(shared->iova, &stats);
    assert_int_equal(stats.live, 0);
    assert_int_equal(stats.bad_frees, 0);
    iova_destroy(shared->iova);
    assert_int_equal(atomic_load(&shared->world.objects), 0);
    free(shared->taken);
    free(shared);
    free(workers);
}

static void test_roomy(void **state)
{
    (void)state;
    run((1u << 20) + (1u << 16), 3);
}

/** Space for about what the threads hold: slabs come, go, and are dissolved. */
static void test_crowded(void **state)
{
    (void)state;
    run(14000, 3);
}

/** More CPUs than were announced. */
static void test_too_many_cpus(void **state)
{
    (void)state;
    run(1u << 16, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roomy),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_too_many_cpus),
    };

    return cmocka_run_group_tests_name("iova-threads", tests, NULL, NULL);
}
