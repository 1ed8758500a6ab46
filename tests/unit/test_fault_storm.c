// SPDX-License-Identifier: MIT
/*
 * A million faults, from the device through the unit's log and the instance's to a subscriber that
 * cannot keep up: each of them is accounted for, memory stays as it was, and no call does more than
 * its share. Fewer under sanitizers, as the build says, and on units other than VT-d, whose million
 * would take as long again each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "models/riscv.h"
#include "models/smmu3.h"
#include "models/virtio.h"
#include "scene.h"

#ifndef STORM_FAULTS
#define STORM_FAULTS 1000000u
#endif

#define RID_A       SLUICE_RID(0, 3, 0)
#define RID_B       SLUICE_RID(0, 4, 0)
#define NOT_THERE   (SCENE_IOVA + 0x100000)
#define LOG_RECORDS 64u   /* of the instance's log */
#define BURST       997u  /* faults between two polls at most */
#define UNIT_LOG    4096u /* no unit here has a longer log */

/* Where time passes: what a record costs, what a look at the clock, how long a device pauses. */
#define RECORD_NS    2000u
#define CLOCK_NS     20u
#define PAUSE_NS     2000u
#define SHARE_FAULTS 40000u /* long enough for the share to settle */

struct storm {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_device *devices[2];
    struct sluice_host_ops ops;
    struct sluice_fault_subscription *subscription;
    uint64_t told, lost, next;
    uint64_t flagged;        /**< faults around which the unit said that it lost some */
    uint64_t of[2];          /**< delivered, by device */
    void (*work)(void *arg); /**< the host was asked for a call, and takes its time */
    void *work_arg;
    uint32_t share;   /**< percent; 0: the host polls by itself */
    uint64_t poll_at; /**< what it was asked for */
};

/* The hooks get the host as ctx, so what they report to is found here. */
static struct storm *current;

static bool defer(void *ctx, void (*work)(void *arg), void *arg)
{
    (void)ctx;
    assert_null(current->work); /* one at a time is asked for */
    current->work = work;
    current->work_arg = arg;
    return true;
}

static void do_deferred(struct storm *storm)
{
    void (*work)(void *arg) = storm->work;

    storm->work = NULL;
    if (work != NULL)
        work(storm->work_arg);
}

static void fault_poll_at(void *ctx, uint64_t time_ns)
{
    (void)ctx;
    if (time_ns < current->poll_at)
        current->poll_at = time_ns;
}

static void on_fault(void *arg, const struct sluice_fault *fault)
{
    struct storm *storm = arg;
    uint32_t first =
        storm->scene.machine->config.kind != NULL ? storm->scene.machine->config.kind->first_id : 0;

    assert_true(fault->source == first + RID_A || fault->source == first + RID_B);
    storm->of[fault->source == first + RID_B]++;
    storm->flagged += fault->records_lost;
    if (storm->share != 0)
        model_host_clock_advance(storm->scene.machine->host, RECORD_NS);
}

static void listen(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct storm *storm = arg;

    assert_true(record->number == storm->next + lost);
    assert_true(record->device[0] != 0);
    storm->next = record->number + 1;
    storm->lost += lost;
    storm->told++;
}

static void configure(struct sluice_config *config, void *arg)
{
    struct storm *storm = arg;

    storm->ops = *config->ops;
    storm->ops.defer = defer;
    storm->poll_at = UINT64_MAX;
    if (storm->share != 0)
        storm->ops.fault_poll_at = fault_poll_at;
    config->fault_share = storm->share;
    config->ops = &storm->ops;
    config->flood_faults = SLUICE_FAULTS_UNLIMITED;
    config->fault_log_records = LOG_RECORDS;
    config->on_fault = on_fault;
    config->on_fault_arg = storm;
    current = storm;
}

/** What the unit put into its log, and what it had no room for. */
static void unit_counts(struct storm *storm, uint64_t *out_recorded, uint64_t *out_lost)
{
    struct machine *machine = storm->scene.machine;

    if (machine->amd != NULL) {
        struct amdvi_model_stats stats;

        amdvi_model_stats(machine->amd, &stats);
        *out_recorded = stats.events_logged;
        *out_lost = stats.events_lost;
    } else if (scene_on_virtio()) {
        struct virtio_model_stats stats;

        virtio_model_stats(machine->unit, &stats);
        *out_recorded = stats.reports;
        *out_lost = stats.reports_lost;
    } else if (scene_on_smmu3()) {
        struct smmu3_model_stats stats;

        smmu3_model_stats(machine->unit, &stats);
        *out_recorded = stats.events;
        *out_lost = stats.events_lost;
    } else if (scene_on_riscv()) {
        struct riscv_model_stats stats;

        riscv_model_stats(machine->unit, &stats);
        *out_recorded = stats.faults;
        *out_lost = stats.faults_lost;
    } else {
        struct vtd_model_stats stats;

        vtd_model_stats(machine->units[0], &stats);
        *out_recorded = stats.faults_recorded;
        *out_lost = stats.faults_lost;
    }
}

static void storm_start(struct storm *storm, bool polled)
{
    struct scene_config config = scene_defaults();

    config.configure = configure;
    config.configure_arg = storm;
    config.machine.host.no_events = polled;
    if (storm->share != 0)
        config.machine.host.clock_step_ns = CLOCK_NS;
    scene_start(&storm->scene, &config);
    storm->domain = scene_domain(&storm->scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < 2; i++) {
        storm->devices[i] = scene_device(&storm->scene, i == 0 ? RID_A : RID_B);
        assert_int_equal(sluice_domain_attach(storm->domain, storm->devices[i]), SLUICE_OK);
    }
    assert_int_equal(
        sluice_fault_subscribe(storm->scene.sluice, listen, storm, &storm->subscription),
        SLUICE_OK);
}

static void storm_finish(struct storm *storm)
{
    sluice_fault_unsubscribe(storm->subscription);
    for (unsigned i = 0; i < 2; i++)
        scene_forget(storm->devices[i]);
    do_deferred(storm);
    scene_finish(&storm->scene);
}

/** The bursts have different lengths, so that logs fill, overflow and do not. */
static unsigned burst_of(uint64_t done)
{
    unsigned burst = (unsigned)(done * 7919 % BURST) + 1;

    return done % 3 == 0 ? burst % 5 + 1 : burst;
}

static void fault_once(struct storm *storm, uint64_t number)
{
    uint8_t byte;

    (void)dma_device_read(storm->scene.machine->devices[number % 16 == 0],
                          NOT_THERE + number % 509 * SLUICE_PAGE_BYTES, &byte, 1, NULL);
}

struct before {
    uint64_t allocations, objects, pages, recorded, lost;
    unsigned lines;
};

static unsigned lines_of(struct model_host *host)
{
    unsigned lines = 0;

    for (unsigned level = 0; level < MODEL_LOG_LEVELS; level++)
        lines += model_host_log_count(host, (enum sluice_log_level)level);
    return lines;
}

static struct before look(struct storm *storm)
{
    struct model_host *host = storm->scene.machine->host;
    struct before before = {
        .allocations = model_host_allocations(host),
        .objects = model_host_objects_in_use(host),
        .pages = model_host_pages_in_use(host),
        .lines = lines_of(host),
    };

    unit_counts(storm, &before.recorded, &before.lost);
    return before;
}

/** Every fault is with the unit, in a log, or told; nothing else grew. */
static void settle(struct storm *storm, const struct before *before, uint64_t faults)
{
    struct before after = look(storm);
    struct sluice_fault_counts counts;

    sluice_fault_counts(storm->scene.sluice, &counts);
    assert_true(after.recorded - before->recorded + after.lost - before->lost == faults);
    assert_true(counts.faults == after.recorded - before->recorded);
    assert_true(storm->of[0] + storm->of[1] == counts.faults);
    assert_true(storm->told + storm->lost == counts.faults);
    assert_true(storm->next == counts.faults);
    assert_true(storm->told > 0 && storm->of[0] > 0 && storm->of[1] > 0);
    assert_int_equal(counts.overwritten, 0);
    assert_true(after.allocations == before->allocations);
    assert_true(after.objects == before->objects && after.pages == before->pages);
    assert_in_range(after.lines - before->lines, 0, 200);
    assert_int_equal(model_host_violations(storm->scene.machine->host), 0);
}

static uint64_t storm_faults(const struct storm *storm)
{
    return storm->scene.machine->units[0] != NULL ? STORM_FAULTS : STORM_FAULTS / 5;
}

/** Polled now and then: the unit's log overflows, and the instance's does. */
static void polled(void **state)
{
    struct storm storm = {0};
    struct before before;
    uint64_t done = 0, most = 0, faults;

    (void)state;
    storm_start(&storm, true);
    faults = storm_faults(&storm);
    before = look(&storm);
    while (done < faults) {
        unsigned burst = burst_of(done);
        uint64_t told = storm.told;
        unsigned drained;

        for (unsigned i = 0; i < burst && done < faults; i++)
            fault_once(&storm, done++);
        drained = sluice_fault_poll(storm.scene.sluice);
        assert_in_range(drained, 0, UNIT_LOG);
        most = storm.told - told > most ? storm.told - told : most;
    }
    while (sluice_fault_poll(storm.scene.sluice) != 0) {
    }
    settle(&storm, &before, faults);
    /* One poll tells of no more than there is room for in the instance's log. */
    assert_in_range(most, 1, LOG_RECORDS);
    if (look(&storm).lost != before.lost && !scene_on_virtio())
        assert_true(storm.flagged > 0);
    storm_finish(&storm);
}

/** Each in an interrupt of its own, while the host does what it was asked for only now and then. */
static void interrupted(void **state)
{
    const uint64_t faults = STORM_FAULTS / 20;
    struct storm storm = {0};
    struct before before;

    (void)state;
    storm_start(&storm, false);
    before = look(&storm);
    for (uint64_t i = 0; i < faults; i++) {
        fault_once(&storm, i);
        if (i % BURST == 0)
            do_deferred(&storm);
    }
    (void)sluice_fault_poll(storm.scene.sluice);
    do_deferred(&storm);
    settle(&storm, &before, faults);
    assert_int_equal(storm.flagged, 0);
    assert_true(storm.lost > 0);
    storm_finish(&storm);
}

/** Percent of the time that the library takes while a device faults without end. */
static unsigned share_taken(uint32_t allowed, uint64_t *out_holds)
{
    struct storm storm = {.share = allowed};
    struct sluice_fault_counts counts;
    struct model_host *host;
    struct before before;
    uint64_t began, all, own;

    storm_start(&storm, false);
    host = storm.scene.machine->host;
    before = look(&storm);
    began = model_host_clock(host);
    for (uint64_t i = 0; i < SHARE_FAULTS; i++) {
        model_host_clock_advance(host, PAUSE_NS);
        fault_once(&storm, i);
        if (i % 16 == 0)
            do_deferred(&storm);
        if (model_host_clock(host) < storm.poll_at)
            continue;
        storm.poll_at = UINT64_MAX;
        (void)sluice_fault_poll(storm.scene.sluice);
    }
    all = model_host_clock(host) - began;
    own = all - (uint64_t)SHARE_FAULTS * PAUSE_NS; /* records and its reading of the clock */
    while (sluice_fault_poll(storm.scene.sluice) != 0 || storm.work != NULL)
        do_deferred(&storm);
    settle(&storm, &before, SHARE_FAULTS);
    sluice_fault_counts(storm.scene.sluice, &counts);
    *out_holds = counts.holds;
    if (counts.holds != 0 && look(&storm).lost != before.lost)
        assert_in_range(counts.hardware_losses, 1, look(&storm).lost - before.lost + UNIT_LOG);
    storm_finish(&storm);
    return (unsigned)(own * 100 / all);
}

/** Faults get their share of time and no more; what units drop meanwhile is counted as dropped. */
static void no_more_than_its_share(void **state)
{
    uint64_t holds;

    (void)state;
    assert_in_range(share_taken(100, &holds), 40, 100);
    assert_int_equal(holds, 0);
    assert_in_range(share_taken(10, &holds), 5, 12);
    assert_true(holds > 3);
    assert_in_range(share_taken(25, &holds), 15, 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polled),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(no_more_than_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
