// SPDX-License-Identifier: MIT
/*
 * The DMA API on several CPUs at once, each with a device's worth of traffic, what one mapped being
 * unmapped by another, while somebody polls and trims, and while a second device keeps writing,
 * also after its buffer was taken from it. Built twice: with the default CPU header, and
 * with one whose threads are CPUs that nobody interrupts. SLUICE_TEST_SEED and SLUICE_TEST_SCALE
 * make other and longer runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "dma_world.h"
#include "rounds.h"

#include <sluice/cpu.h>

#define WORKERS 3u
#define HELD    24u
#define MAILBOX 32u
#define WINDOW  (2 * DMA_PAGE)

#define WRITTEN       0x5a
#define WRITTEN_BYTES 64u
#define PAUSE_NS      20000u /* of threads that would spin: leave a CPU to others */

#if SLUICE_CPU_PINNED
_Thread_local unsigned thread_cpu;
#endif

static void become(unsigned cpu)
{
#if SLUICE_CPU_PINNED
    thread_cpu = cpu;
#else
    (void)cpu;
#endif
}

/** A mapping that can be handed to another CPU, with its buffer. */
struct held {
    uint8_t *memory; /**< of the window */
    sluice_phys_t phys;
    uint64_t offset, bytes;
    sluice_iova_t address;
    uint8_t fill;
};

struct shared {
    struct dma_world world;
    pthread_mutex_t lock; /**< guards the mailbox */
    struct held mailbox[MAILBOX];
    unsigned mail;
    atomic_uint wrong, running;
    unsigned rounds;
    uint64_t seed;
};

struct worker {
    struct shared *shared;
    unsigned index;
    pthread_t thread;
    uint64_t random;
    struct sluice_pages pages;
    struct held held[HELD];
    unsigned count;
    struct held idle[HELD]; /**< windows without a mapping */
    unsigned idle_count;
};

static uint64_t random_below(struct worker *worker, uint64_t limit)
{
    worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
    return (worker->random >> 33) % limit;
}

static void expect_at(struct worker *worker, bool right, int line)
{
    if (right)
        return;
    atomic_fetch_add(&worker->shared->wrong, 1);
    print_error("line %d is not so\n", line);
}
#define expect(worker, right) expect_at(worker, right, __LINE__)

static struct dma_device *device_of(struct shared *shared)
{
    return shared->world.scene.machine->devices[MACHINE_DEV_A];
}

static void map_one(struct worker *worker)
{
    struct held *held = &worker->held[worker->count];
    struct dma_world *world = &worker->shared->world;
    uint8_t seen = 0;

    if (worker->idle_count == 0)
        return;
    *held = worker->idle[--worker->idle_count];
    held->offset = random_below(worker, WINDOW - 1);
    held->bytes = 1 + random_below(worker, WINDOW - held->offset);
    held->fill = (uint8_t)(1 + random_below(worker, 200));
    held->memory[held->offset] = held->fill;
    expect(worker, sluice_dma_map(world->dma, held->phys + held->offset, held->bytes, BOTH, NULL,
                                  &held->address) == SLUICE_OK);
    expect(worker, dma_device_read(device_of(worker->shared), held->address, &seen, 1, NULL) &&
                       seen == held->fill);
    worker->count++;
}

static void unmap_one(struct worker *worker, struct held held)
{
    struct dma_world *world = &worker->shared->world;
    uint8_t last = (uint8_t)~held.fill, seen;

    expect(worker, dma_device_write(device_of(worker->shared), held.address, &last, 1, NULL));
    if (random_below(worker, 2) == 0) {
        expect(worker, sluice_dma_sync_for_cpu(world->dma, held.address, held.bytes, BOTH, NULL) ==
                           SLUICE_OK);
        seen = __atomic_load_n(&held.memory[held.offset], __ATOMIC_RELAXED);
        expect(worker, seen == last);
    }
    expect(worker, sluice_dma_unmap(world->dma, held.address, held.bytes, BOTH, NULL) == SLUICE_OK);
    seen = __atomic_load_n(&held.memory[held.offset], __ATOMIC_RELAXED);
    expect(worker, seen == last);
    if (worker->idle_count < HELD)
        worker->idle[worker->idle_count++] = held;
}

/** Leaves a mapping to whoever comes next, or takes one over. */
static void pass_on(struct worker *worker)
{
    struct shared *shared = worker->shared;
    struct held held;
    bool taken = false;

    pthread_mutex_lock(&shared->lock);
    if (worker->count > 0 && shared->mail < MAILBOX && random_below(worker, 2) == 0)
        shared->mailbox[shared->mail++] = worker->held[--worker->count];
    else if (shared->mail > 0 && worker->idle_count < HELD) {
        held = shared->mailbox[--shared->mail];
        taken = true;
    }
    pthread_mutex_unlock(&shared->lock);
    if (taken)
        unmap_one(worker, held);
}

static void *work(void *arg)
{
    struct worker *worker = arg;

    become(worker->index);
    for (unsigned i = 0; i < worker->shared->rounds; i++) {
        uint64_t what = random_below(worker, 5);

        if (what < 2 && worker->count < HELD)
            map_one(worker);
        else if (what < 4 && worker->count > 0)
            unmap_one(worker, worker->held[--worker->count]);
        else
            pass_on(worker);
    }
    while (worker->count > 0)
        unmap_one(worker, worker->held[--worker->count]);
    atomic_fetch_sub(&worker->shared->running, 1);
    return NULL;
}

static void expect_disturber(struct shared *shared, uint64_t live)
{
    atomic_fetch_add(&shared->wrong, 1);
    print_error("the counters say that %llu are live\n", (unsigned long long)live);
}

/** Somebody with a timer, and short of memory now and then. */
static void *disturb(void *arg)
{
    struct shared *shared = arg;
    struct sluice_dma_domain_info domain;
    struct sluice_dma_info info;

    become(WORKERS);
    for (unsigned i = 0; atomic_load(&shared->running) != 0; i++) {
        model_host_clock_advance(shared->world.scene.machine->host, 20000000);
        (void)sluice_dma_poll(shared->world.scene.sluice);
        sluice_dma_info(shared->world.dma, &info);
        if (sluice_dma_domain_info(shared->world.domain, &domain) != SLUICE_OK ||
            info.usage.live > (uint64_t)WORKERS * HELD + MAILBOX + 1) /* and the writer's */
            expect_disturber(shared, info.usage.live);
        if (i % 16 == 0)
            sluice_dma_trim(shared->world.scene.sluice);
        /* Threads that spin wait for those that do not run: leave them a CPU. */
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return NULL;
}

static void start_worker(struct shared *shared, struct worker *worker, unsigned index)
{
    *worker = (struct worker){.shared = shared, .index = index, .random = shared->seed + index};
    worker->pages = dma_memory(&shared->world, 6, 0xee);
    for (unsigned i = 0; i < HELD; i++)
        worker->idle[worker->idle_count++] =
            (struct held){.memory = (uint8_t *)worker->pages.virt + i * WINDOW,
                          .phys = worker->pages.phys + i * WINDOW};
}

/** A device that writes again and again, and keeps no rules. */
struct writer {
    struct sluice_device *device;
    struct dma_device *model;
    struct sluice_pages memory;
    sluice_iova_t address;
};

static void start_writer(struct shared *shared, struct writer *writer)
{
    writer->device = dma_world_add(&shared->world, DMA_RID_2, false);
    writer->model = shared->world.scene.machine->devices[MACHINE_DEV_B];
    writer->memory = dma_memory(&shared->world, 0, 0);
    writer->address = dma_map(&shared->world, writer->memory.phys, DMA_PAGE, BOTH);
    dma_device_loop(writer->model, &(struct dma_device_loop){.address = writer->address,
                                                             .bytes = WRITTEN_BYTES,
                                                             .write = true,
                                                             .fill = WRITTEN,
                                                             .pause_ns = PAUSE_NS});
    dma_device_start(writer->model);
}

/** Until it tried so many times more; how, `out` says. */
static void let_it_try(const struct writer *writer, unsigned tries, struct dma_device_counts *out)
{
    uint64_t before;

    dma_device_counts(writer->model, out);
    before = out->moved + out->refused;
    while (out->moved + out->refused < before + tries) {
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        dma_device_counts(writer->model, out);
    }
}

/** Takes its buffer away under its hands: from then on the memory is the CPU's. */
static void stop_writer(struct shared *shared, struct writer *writer)
{
    struct dma_device_counts before, after;
    uint8_t *virt = writer->memory.virt;

    let_it_try(writer, 1, &before);
    assert_int_equal(before.refused, 0);
    dma_unmap(&shared->world, writer->address, DMA_PAGE, BOTH);
    sluice_dma_trim(shared->world.scene.sluice); /* in a lazy domain it is over now */
    dma_device_counts(writer->model, &before);
    memset(virt, 0, WRITTEN_BYTES);
    let_it_try(writer, 100, &after);
    dma_device_stop(writer->model);
    assert_int_equal(after.moved, before.moved);
    for (unsigned i = 0; i < WRITTEN_BYTES; i++)
        assert_int_equal(virt[i], 0);
    dma_memory_free(&shared->world, writer->memory, 0);
    scene_forget(writer->device);
}

static void run_threads(struct dma_world_config *config)
{
    static struct worker workers[WORKERS]; /* too large for the stack */
    static struct shared shared;
    struct sluice_dma_info info;
    struct writer writer;
    pthread_t disturber;

    memset(&shared, 0, sizeof(shared));
    config->scene.machine.host.cpus = WORKERS + 1;
    /* The clock leaps under those who wait for the hardware. */
    config->hardware_timeout_ns = UINT64_C(1000000000000);
    pthread_mutex_init(&shared.lock, NULL);
    shared.rounds = test_scaled(1500);
    shared.seed = test_seed(1);
    print_message("# SLUICE_TEST_SEED=%llu\n", (unsigned long long)shared.seed);
    become(WORKERS);
    dma_world_start(&shared.world, config);
    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(&shared, &workers[i], i);
    start_writer(&shared, &writer);
    atomic_store(&shared.running, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    assert_int_equal(pthread_create(&disturber, NULL, disturb, &shared), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(pthread_join(disturber, NULL), 0);
    while (shared.mail > 0) {
        const struct held held = shared.mailbox[--shared.mail];

        dma_unmap(&shared.world, held.address, held.bytes, BOTH);
    }
    stop_writer(&shared, &writer);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    sluice_dma_info(shared.world.dma, &info);
    assert_int_equal(info.maps, info.unmaps);
    assert_int_equal(info.usage.bytes, 0);
    assert_true(info.maps > shared.rounds / 2);
    for (unsigned i = 0; i < WORKERS; i++)
        dma_memory_free(&shared.world, workers[i].pages, 6);
    dma_world_finish(&shared.world);
    pthread_mutex_destroy(&shared.lock);
}

static void test_strict(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    run_threads(&config);
}

static void test_lazy(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.domain.lazy = true;
    run_threads(&config);
}

static void test_untrusted(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.untrusted = true;
    run_threads(&config);
}

static void test_checked(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.check = true;
    run_threads(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
