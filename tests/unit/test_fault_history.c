// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L /* nanosleep */
/*
 * What a fault says of its address: never mapped, unmapped at a time, or forgotten; never more than
 * is known.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dma/dma.h"
#include "dma_world.h"

#define MILLISECOND ((uint64_t)1000000)
#define WINDOW_NS   (10 * MILLISECOND)
#define PLACE       SCENE_IOVA
#define FAR_AWAY    ((sluice_iova_t)0x140000000)
#define FEW         16u

/** An unmanaged domain, a device in it, and the last record of its faults. */
struct past_world {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages page;
    struct sluice_fault_subscription *subscription;
    struct sluice_fault_record record;
    unsigned records;
    uint32_t unmap_history;
};

static void listen(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct past_world *world = arg;

    (void)lost;
    world->record = *record;
    world->records++;
}

static void configure(struct sluice_config *config, void *arg)
{
    config->unmap_history = ((struct past_world *)arg)->unmap_history;
}

static void world_start(struct past_world *world)
{
    struct scene_config config = scene_defaults();

    config.configure = configure;
    config.configure_arg = world;
    scene_start(&world->scene, &config);
    world->domain = scene_domain(&world->scene, SLUICE_DOMAIN_UNMANAGED);
    world->device = scene_device(&world->scene, DMA_RID);
    world->page = scene_page(&world->scene, 0x3c);
    assert_int_equal(sluice_domain_attach(world->domain, world->device), SLUICE_OK);
    assert_int_equal(
        sluice_fault_subscribe(world->scene.sluice, listen, world, &world->subscription),
        SLUICE_OK);
}

static void world_finish(struct past_world *world)
{
    sluice_fault_unsubscribe(world->subscription);
    scene_page_free(&world->scene, world->page);
    scene_forget(world->device);
    scene_finish(&world->scene);
}

static void map(struct past_world *world, sluice_iova_t iova)
{
    scene_map(world->domain, iova, &world->page);
}

static void unmap(struct past_world *world, sluice_iova_t iova)
{
    assert_int_equal(sluice_domain_unmap(world->domain, iova, SLUICE_PAGE_BYTES, NULL), SLUICE_OK);
}

/** What is said of a read that is refused. */
static const struct sluice_fault_record *asked(struct past_world *world, sluice_iova_t iova)
{
    unsigned before = world->records;

    assert_int_equal(scene_reads(&world->scene, 0, iova), -1);
    (void)sluice_fault_poll(world->scene.sluice);
    assert_true(world->records > before);
    return &world->record;
}

static bool says(const struct sluice_fault_record *record, const char *text)
{
    char line[SLUICE_FAULT_TEXT_BYTES];

    assert_in_range(sluice_fault_text(record, line, sizeof(line)), 1, sizeof(line) - 1);
    return strstr(line, text) != NULL;
}

static void never_then_unmapped(void **state)
{
    struct past_world world = {0};
    const struct sluice_fault_record *record;
    uint64_t before, after;

    (void)state;
    world_start(&world);
    assert_int_equal(asked(&world, PLACE)->history, SLUICE_ADDRESS_NEVER_MAPPED);
    assert_true(says(&world.record, "never mapped"));
    map(&world, PLACE);
    before = model_host_clock(world.scene.machine->host);
    unmap(&world, PLACE);
    after = model_host_clock(world.scene.machine->host);
    model_host_clock_advance(world.scene.machine->host, 5 * MILLISECOND);
    record = asked(&world, PLACE + 0x123);
    assert_int_equal(record->history, SLUICE_ADDRESS_UNMAPPED);
    assert_false(record->unmap_unconfirmed);
    assert_true(record->unmapped_slack_ns == 0);
    /* The time is one between the call and its return, seen from the record's making. */
    assert_in_range(record->unmapped_ago_ns, 5 * MILLISECOND,
                    model_host_clock(world.scene.machine->host) - before);
    assert_true(model_host_clock(world.scene.machine->host) - record->unmapped_ago_ns >= before);
    assert_true(record->fault.time_ns - record->unmapped_ago_ns <= after);
    assert_true(says(record, "unmapped 5") && says(record, " us ago"));
    /* In the same 2 MiB nobody can say "never"; far away it is said all the same. */
    record = asked(&world, PLACE + 8 * SLUICE_PAGE_BYTES);
    assert_int_equal(record->history, SLUICE_ADDRESS_NOT_MAPPED);
    assert_true(record->unmaps_known == 1);
    assert_true(says(record, "nor among the last 1 unmaps"));
    assert_int_equal(asked(&world, FAR_AWAY)->history, SLUICE_ADDRESS_NEVER_MAPPED);
    /* Mapped anew and unmapped anew: the last time counts. */
    map(&world, PLACE);
    unmap(&world, PLACE);
    assert_in_range(asked(&world, PLACE)->unmapped_ago_ns, 0, MILLISECOND);
    world_finish(&world);
}

static void what_is_overwritten_is_said(void **state)
{
    struct past_world world = {.unmap_history = FEW - 3};
    struct sluice_domain_info info;

    (void)state;
    world_start(&world);
    for (unsigned i = 0; i < 3 * FEW; i++) {
        map(&world, PLACE + i * SLUICE_PAGE_BYTES);
        unmap(&world, PLACE + i * SLUICE_PAGE_BYTES);
        if (i % 7 != 0 && i + 1 != 3 * FEW)
            continue;
        /* The last FEW of them are known, the one before is not. */
        assert_int_equal(asked(&world, PLACE + i * SLUICE_PAGE_BYTES)->history,
                         SLUICE_ADDRESS_UNMAPPED);
        if (i < FEW)
            continue;
        assert_int_equal(asked(&world, PLACE + (i - FEW + 1) * SLUICE_PAGE_BYTES)->history,
                         SLUICE_ADDRESS_UNMAPPED);
        assert_int_equal(asked(&world, PLACE + (i - FEW) * SLUICE_PAGE_BYTES)->history,
                         SLUICE_ADDRESS_NOT_MAPPED);
        assert_true(world.record.unmaps_known == FEW);
    }
    sluice_domain_info(world.domain, &info);
    assert_in_range(info.history_bytes, FEW * sizeof(struct unmap_note), 2048);
    world_finish(&world);
}

static void none_where_not_wanted(void **state)
{
    struct past_world world = {.unmap_history = SLUICE_NO_HISTORY};
    struct sluice_domain_info info;

    (void)state;
    world_start(&world);
    map(&world, PLACE);
    unmap(&world, PLACE);
    assert_int_equal(asked(&world, PLACE)->history, SLUICE_ADDRESS_NOT_MAPPED);
    assert_true(world.record.unmaps_known == 0);
    sluice_domain_info(world.domain, &info);
    assert_true(info.history_bytes == 0);
    world_finish(&world);
}

/** A wide unmap says of what was mapped in it that it was, and of the rest not. */
static void a_wide_unmap(void **state)
{
    const uint64_t wide = (uint64_t)1 << 28;
    struct past_world world = {0};

    (void)state;
    world_start(&world);
    map(&world, PLACE);
    map(&world, PLACE + wide / 2);
    assert_int_equal(sluice_domain_unmap(world.domain, PLACE, wide, NULL), SLUICE_OK);
    assert_int_equal(asked(&world, PLACE)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_int_equal(asked(&world, PLACE + wide / 2)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_int_equal(asked(&world, PLACE + wide / 4)->history, SLUICE_ADDRESS_NEVER_MAPPED);
    /* Nothing was mapped: there is nothing to remember. */
    assert_int_equal(sluice_domain_unmap(world.domain, FAR_AWAY, wide, NULL), SLUICE_OK);
    assert_int_equal(asked(&world, FAR_AWAY)->history, SLUICE_ADDRESS_NEVER_MAPPED);
    world_finish(&world);
}

/** While no unit has confirmed it, an unmap has no time. */
static void unconfirmed(void **state)
{
    struct sluice_fault_record record = {.fault = {.pasid = SLUICE_NO_PASID, .unit = "u"}};
    struct past_world world = {0};
    struct address_past past;
    sluice_irqstate_t irq;

    (void)state;
    world_start(&world);
    irq = sluice_spin_lock(&world.domain->links_lock);
    (void)history_note_locked(world.domain->history,
                              &(struct sluice_dma_chunk){PLACE, SLUICE_PAGE_BYTES}, 1);
    sluice_spin_unlock(&world.domain->links_lock, irq);
    assert_true(history_look_locked(world.domain, PLACE, &past));
    assert_true(past.found && past.unconfirmed && !past.never);
    assert_int_equal(asked(&world, PLACE)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_true(world.record.unmap_unconfirmed);
    assert_true(says(&world.record, "no unit has confirmed"));
    history_confirm(world.domain->history, 0, 1, 7);
    assert_true(history_look_locked(world.domain, PLACE, &past));
    assert_true(past.found && !past.unconfirmed && past.until_ns == 7);
    /* A line that does not fit is cut, and its length told. */
    assert_true(sluice_fault_text(&record, (char[4]){0}, 4) > 4);
    world_finish(&world);
}

/** A line tells the intermediate address where hardware gave it, and what it is of. */
static void intermediate(void **state)
{
    struct sluice_fault_record record = {.fault = {.pasid = SLUICE_NO_PASID,
                                                   .unit = "u",
                                                   .address = 0x1000,
                                                   .address_valid = true,
                                                   .intermediate = 0x90000000}};

    (void)state;
    assert_false(says(&record, "intermediate"));
    record.fault.intermediate_valid = true;
    assert_true(says(&record, "at 0x1000, intermediate 0x90000000: "));
    record.fault.intermediate_of_walk = true;
    assert_true(says(&record, "at 0x1000, whose tables lie at intermediate 0x90000000: "));
}

/** Long mappings are one range, and none of many regions is taken for another. */
static void marks(void **state)
{
    struct past_world world = {0};
    struct domain_history *history;
    struct address_past past;
    unsigned said = 0;

    (void)state;
    world_start(&world);
    history = world.domain->history;
    history_mark(history, (uint64_t)8 << 30, (uint64_t)4 << 30);
    for (unsigned i = 0; i < 64; i++) {
        assert_true(history_look_locked(world.domain, ((uint64_t)i << 28) + 5, &past));
        assert_int_equal(past.never, i < 32 || i >= 48);
    }
    for (unsigned i = 0; i < 100; i++)
        history_mark(history, (uint64_t)i << 24, SLUICE_PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(history_look_locked(world.domain, (uint64_t)i << 24, &past));
        assert_false(past.never);
        assert_true(history_look_locked(world.domain, ((uint64_t)i << 24) + (1u << 22), &past));
        said += past.never;
    }
    assert_in_range(said, 85, 100); /* a region or two share their bit with another */
    world_finish(&world);
}

/* ---- through the DMA API ---- */

struct dma_past {
    struct dma_world world;
    struct sluice_fault_subscription *subscription;
    struct sluice_fault_record record;
};

static void dma_listen(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    (void)lost;
    ((struct dma_past *)arg)->record = *record;
}

static void dma_start(struct dma_past *past, bool lazy, bool check)
{
    struct dma_world_config config = dma_world_defaults();

    config.domain.lazy = lazy;
    config.domain.lazy_window_ns = WINDOW_NS;
    config.check = check;
    dma_world_start(&past->world, &config);
    assert_int_equal(
        sluice_fault_subscribe(past->world.scene.sluice, dma_listen, past, &past->subscription),
        SLUICE_OK);
}

static void dma_finish(struct dma_past *past)
{
    sluice_fault_unsubscribe(past->subscription);
    dma_world_finish(&past->world);
}

static const struct sluice_fault_record *dma_asked(struct dma_past *past, sluice_iova_t address)
{
    scene_evict(&past->world.scene);
    assert_int_equal(dma_reads(&past->world, address), -1);
    (void)sluice_fault_poll(past->world.scene.sluice);
    return &past->record;
}

static sluice_iova_t cycle(struct dma_past *past, const struct sluice_pages *memory)
{
    sluice_iova_t address = dma_map(&past->world, memory->phys, DMA_PAGE, BOTH);

    dma_unmap(&past->world, address, DMA_PAGE, BOTH);
    return address;
}

static void strict_unmaps(void **state)
{
    struct sluice_dma_chunk gone[20], rest[20];
    struct dma_past past;
    struct sluice_pages memory;

    (void)state;
    dma_start(&past, false, false);
    memory = dma_memory(&past.world, 0, 0x55);
    for (unsigned i = 0; i < 40; i++)
        (i % 2 == 0 ? gone : rest)[i / 2] =
            (struct sluice_dma_chunk){dma_map(&past.world, memory.phys, DMA_PAGE, BOTH), DMA_PAGE};
    model_host_clock_advance(past.world.scene.machine->host, MILLISECOND);
    /* Every other one, in one call. */
    assert_int_equal(sluice_dma_unmap_many(past.world.dma, gone, 20, BOTH, NULL), SLUICE_OK);
    model_host_clock_advance(past.world.scene.machine->host, 3 * MILLISECOND);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(dma_asked(&past, gone[i].address)->history, SLUICE_ADDRESS_UNMAPPED);
        assert_in_range(past.record.unmapped_ago_ns, 3 * MILLISECOND, 5 * MILLISECOND);
        assert_true(past.record.unmapped_slack_ns == 0);
    }
    for (unsigned i = 0; i < 20; i++)
        dma_unmap(&past.world, rest[i].address, DMA_PAGE, BOTH);
    dma_memory_free(&past.world, memory, 0);
    dma_finish(&past);
}

/** What waits and what was flushed; times are those of batches. */
static void lazy_unmaps(void **state)
{
    struct dma_past past;
    struct sluice_pages memory;
    struct model_host *host;
    sluice_iova_t first, second;

    (void)state;
    dma_start(&past, true, false);
    host = past.world.scene.machine->host;
    memory = dma_memory(&past.world, 0, 0x55);
    second = dma_map(&past.world, memory.phys, DMA_PAGE, BOTH);
    first = cycle(&past, &memory);
    if (!scene_on_virtio()) { /* which reaches it until it is told */
        assert_int_equal(dma_asked(&past, first)->history, SLUICE_ADDRESS_UNMAPPED);
        assert_true(past.record.unmapped_ago_ns <= past.record.unmapped_slack_ns);
    }
    model_host_clock_advance(host, WINDOW_NS);
    (void)sluice_dma_poll(past.world.scene.sluice);
    model_host_clock_advance(host, 50 * MILLISECOND);
    dma_unmap(&past.world, second, DMA_PAGE, BOTH);
    model_host_clock_advance(host, WINDOW_NS);
    (void)sluice_dma_poll(past.world.scene.sluice);
    assert_int_equal(dma_asked(&past, first)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_in_range(past.record.unmapped_ago_ns, 60 * MILLISECOND, 61 * MILLISECOND);
    assert_in_range(past.record.unmapped_slack_ns, WINDOW_NS, WINDOW_NS + MILLISECOND);
    assert_int_equal(dma_asked(&past, second)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_in_range(past.record.unmapped_ago_ns, 0, MILLISECOND);
    assert_in_range(past.record.unmapped_slack_ns, WINDOW_NS, WINDOW_NS + MILLISECOND);
    dma_memory_free(&past.world, memory, 0);
    dma_finish(&past);
}

/** A ring that went round knows its last entries, and no more. */
static void lazy_wraps(void **state)
{
    static sluice_iova_t addresses[3 * FLUSH_ROOM];
    struct dma_past past;
    struct sluice_pages memory;
    unsigned known = 0, lost = 0;

    (void)state;
    dma_start(&past, true, false);
    memory = dma_memory(&past.world, 0, 0x55);
    for (unsigned i = 0; i < 3 * FLUSH_ROOM; i++) {
        addresses[i] = dma_map(&past.world, memory.phys, DMA_PAGE, BOTH);
        model_host_clock_advance(past.world.scene.machine->host, 1000);
    }
    for (unsigned i = 0; i < 3 * FLUSH_ROOM; i++)
        dma_unmap(&past.world, addresses[i], DMA_PAGE, BOTH);
    model_host_clock_advance(past.world.scene.machine->host, WINDOW_NS);
    (void)sluice_dma_poll(past.world.scene.sluice);
    for (unsigned i = 0; i < 3 * FLUSH_ROOM; i += 61) {
        switch (dma_asked(&past, addresses[i])->history) {
        case SLUICE_ADDRESS_UNMAPPED:
            known++;
            break;
        case SLUICE_ADDRESS_NOT_MAPPED:
            assert_true(i < 2 * FLUSH_ROOM + 1);
            assert_in_range(past.record.unmaps_known, FLUSH_ROOM - 1,
                            past.world.scene.sluice->cpu_count * FLUSH_ROOM);
            lost++;
            break;
        default:
            fail();
        }
    }
    assert_true(lost > 0 && known >= FLUSH_ROOM / 61 - 1);
    dma_memory_free(&past.world, memory, 0);
    dma_finish(&past);
}

/** The checking mode knows the moment, and what it says is told. */
static void checking_mode_wins(void **state)
{
    struct dma_past past;
    struct sluice_pages memory;
    sluice_iova_t address;

    (void)state;
    dma_start(&past, true, true);
    memory = dma_memory(&past.world, 0, 0x55);
    address = cycle(&past, &memory);
    model_host_clock_advance(past.world.scene.machine->host, WINDOW_NS + 4 * MILLISECOND);
    (void)sluice_dma_poll(past.world.scene.sluice);
    assert_int_equal(dma_asked(&past, address)->history, SLUICE_ADDRESS_UNMAPPED);
    assert_true(past.record.unmapped_slack_ns == 0);
    assert_in_range(past.record.unmapped_ago_ns, WINDOW_NS + 4 * MILLISECOND,
                    WINDOW_NS + 5 * MILLISECOND);
    dma_memory_free(&past.world, memory, 0);
    dma_finish(&past);
}

/* ---- readers against writers ---- */

#define WRITERS    2u
#define LOOKS      50u
#define LOOKS_MOST 3000u /* seconds of them, if nothing is found */

struct race {
    struct dma_past *past;
    sluice_phys_t phys;
    atomic_uint done; /**< writers that gave up */
    atomic_bool over;
    uint64_t began_ns;
};

static void *write_history(void *arg)
{
    struct race *race = arg;
    struct sluice_dma *dma = race->past->world.dma;

    while (!atomic_load(&race->over)) {
        sluice_iova_t address;

        if (sluice_dma_map(dma, race->phys, DMA_PAGE, BOTH, NULL, &address) != SLUICE_OK ||
            sluice_dma_unmap(dma, address, DMA_PAGE, BOTH, NULL) != SLUICE_OK) {
            atomic_fetch_add(&race->done, 1);
            break;
        }
    }
    return NULL;
}

/** Whatever is said is true at that moment: a time of the race, and "never" of nobody's address. */
static void read_history(struct race *race, sluice_iova_t own)
{
    struct sluice *sluice = race->past->world.scene.sluice;
    struct sluice_domain *domain = race->past->world.domain;
    struct address_past past;
    /* Spinning, it would keep the lock from writers that share its CPU for their time slices. */
    const struct timespec pause = {.tv_nsec = 20000};
    unsigned looks = 0, found = 0;

    while (looks < LOOKS || (found == 0 && looks < LOOKS_MOST)) {
        sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

        assert_true(history_look_locked(domain, FAR_AWAY, &past));
        assert_true(past.never && !past.found);
        assert_true(history_look_locked(domain, own, &past));
        assert_false(past.never);
        if (past.found && !past.unconfirmed) {
            assert_true(past.since_ns <= past.until_ns && past.until_ns >= race->began_ns);
            assert_true(past.until_ns <= host_now_ns(sluice));
            found++;
        }
        sluice_spin_unlock(&sluice->lock, irq);
        (void)nanosleep(&pause, NULL);
        looks++;
    }
    atomic_store(&race->over, true);
    assert_true(found > 0);
    assert_int_equal(atomic_load(&race->done), 0);
}

static void race_in(bool lazy)
{
    struct dma_past past;
    struct race race = {.past = &past};
    pthread_t threads[WRITERS];
    struct sluice_pages memory;
    sluice_iova_t own;

    dma_start(&past, lazy, false);
    memory = dma_memory(&past.world, 0, 0x55);
    race.phys = memory.phys;
    race.began_ns = model_host_clock(past.world.scene.machine->host);
    own = cycle(&past, &memory);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_history, &race), 0);
    read_history(&race, own);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dma_memory_free(&past.world, memory, 0);
    dma_finish(&past);
}

static void race_strict(void **state)
{
    (void)state;
    race_in(false);
}

static void race_lazy(void **state)
{
    (void)state;
    race_in(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_then_unmapped),
        cmocka_unit_test(what_is_overwritten_is_said),
        cmocka_unit_test(none_where_not_wanted),
        cmocka_unit_test(a_wide_unmap),
        cmocka_unit_test(unconfirmed),
        cmocka_unit_test(intermediate),
        cmocka_unit_test(marks),
        cmocka_unit_test(strict_unmaps),
        cmocka_unit_test(lazy_unmaps),
        cmocka_unit_test(lazy_wraps),
        cmocka_unit_test(checking_mode_wins),
        cmocka_unit_test(race_strict),
        cmocka_unit_test(race_lazy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
