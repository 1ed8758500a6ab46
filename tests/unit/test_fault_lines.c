// SPDX-License-Identifier: MIT
/*
 * Faults as lines of the log, each source by itself; sources that no device has; and what is due at
 * a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "domain/domain.h"
#include "fault/fault.h"
#include "scene.h"

#define RID_A      SLUICE_RID(0, 3, 0)
#define RID_B      SLUICE_RID(0, 4, 0)
#define NOT_THERE  (SCENE_IOVA + 0x100000)
#define SECOND     ((uint64_t)1000000000)
#define LINES      3u
#define WINDOW_NS  (2 * SECOND)
#define SILENCE_NS (5 * SECOND)
#define FLOOD      20u
#define LOG_LINES  64u

struct line_world {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_device *devices[2];
    struct sluice_host_ops ops;
    uint32_t fault_lines, flood_faults, fault_log_records;
    bool holds; /**< deferred work waits for the test */
    void (*held)(void *arg);
    void *held_arg;
    uint64_t poll_at; /**< what the host was asked for last; 0: nothing */
    unsigned asked;
    unsigned lines_a, lines_b, lines_stranger;
    char rest[4][256]; /**< the last lines that count */
    unsigned rests;
};

/* The hooks get the host as ctx, so what they report to is found here. */
static struct line_world *current;

static bool defer(void *ctx, void (*work)(void *arg), void *arg)
{
    if (!current->holds)
        return model_host_ops(ctx)->defer(ctx, work, arg);
    current->held = work;
    current->held_arg = arg;
    return true;
}

static void fault_poll_at(void *ctx, uint64_t time_ns)
{
    (void)ctx;
    current->poll_at = time_ns;
    current->asked++;
}

static void log_hook(void *ctx, enum sluice_log_level level, const char *line)
{
    if (strstr(line, " more faults of ") != NULL)
        (void)strncpy(current->rest[current->rests++ % 4], line, sizeof(current->rest[0]) - 1);
    else if (strncmp(line, "0000:00:03.0 'device': read at", 30) == 0)
        current->lines_a++;
    else if (strncmp(line, "0000:00:04.0 'device': read at", 30) == 0)
        current->lines_b++;
    else if (strstr(line, ", of no known device: read at") != NULL)
        current->lines_stranger++;
    model_host_ops(ctx)->log(ctx, level, line);
}

static void configure(struct sluice_config *config, void *arg)
{
    struct line_world *world = arg;

    world->ops = *config->ops;
    world->ops.defer = defer;
    world->ops.log = log_hook;
    world->ops.fault_poll_at = fault_poll_at;
    config->ops = &world->ops;
    config->fault_lines = world->fault_lines != 0 ? world->fault_lines : LINES;
    config->fault_lines_window_ns = WINDOW_NS;
    config->fault_log_records = world->fault_log_records;
    config->fault_share = 100; /* no limit: the clock is read more often than anything is done */
    config->flood_faults = world->flood_faults != 0 ? world->flood_faults : SLUICE_FAULTS_UNLIMITED;
    config->flood_window_ns = SECOND;
    config->silence_ns = SILENCE_NS;
    current = world;
}

static void world_start(struct line_world *world, unsigned devices)
{
    struct scene_config config = scene_defaults();

    config.configure = configure;
    config.configure_arg = world;
    scene_start(&world->scene, &config);
    world->domain = scene_domain(&world->scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < devices; i++) {
        world->devices[i] = scene_device(&world->scene, i == 0 ? RID_A : RID_B);
        assert_int_equal(sluice_domain_attach(world->domain, world->devices[i]), SLUICE_OK);
    }
}

static void world_finish(struct line_world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        if (world->devices[i] != NULL)
            scene_forget(world->devices[i]);
    }
    scene_finish(&world->scene);
}

static void misbehave(struct line_world *world, unsigned index, unsigned faults)
{
    for (unsigned i = 0; i < faults; i++) {
        assert_int_equal(scene_reads(&world->scene, index, NOT_THERE + i * SLUICE_PAGE_BYTES), -1);
        if (!world->holds)
            (void)sluice_fault_poll(world->scene.sluice); /* where no interrupt told of it */
    }
}

static void wait_and_poll(struct line_world *world, uint64_t ns)
{
    model_host_clock_advance(world->scene.machine->host, ns);
    (void)sluice_fault_poll(world->scene.sluice);
}

static bool told_rest(const struct line_world *world, const char *text)
{
    for (unsigned i = 0; i < 4; i++) {
        if (strstr(world->rest[i], text) != NULL)
            return true;
    }
    return false;
}

/* ---- lines ---- */

/** Each has its lines, whoever else faults; the rest is told when the window is over, once. */
static void each_by_itself(void **state)
{
    struct line_world world = {0};

    (void)state;
    world_start(&world, 2);
    misbehave(&world, 0, 100);
    assert_int_equal(world.lines_a, LINES);
    misbehave(&world, 1, 2);
    assert_int_equal(world.lines_b, 2);
    assert_int_equal(world.rests, 0);
    wait_and_poll(&world, WINDOW_NS);
    assert_int_equal(world.rests, 1);
    assert_true(told_rest(&world, "97 more faults of 0000:00:03.0 in the last 2."));
    /* The next window begins with the next fault; nothing more is told without one. */
    wait_and_poll(&world, 3 * WINDOW_NS);
    assert_int_equal(world.rests, 1);
    misbehave(&world, 0, LINES + 1);
    assert_int_equal(world.lines_a, 2 * LINES);
    wait_and_poll(&world, WINDOW_NS);
    assert_true(told_rest(&world, "1 more faults of 0000:00:03.0"));
    world_finish(&world);
}

/** Others' faults that overwrite the fault log hide nobody's lines, and each is counted. */
static void nobody_is_hidden(void **state)
{
    struct line_world world = {.holds = true, .fault_log_records = 2};

    (void)state;
    world_start(&world, 2);
    misbehave(&world, 1, 1);
    misbehave(&world, 0, 50);
    (void)model_host_run_events(world.scene.machine->host);
    world.holds = false;
    (void)sluice_fault_poll(world.scene.sluice);
    if (world.held != NULL)
        world.held(world.held_arg);
    assert_int_equal(world.lines_a, LINES);
    assert_int_equal(world.lines_b, 1);
    wait_and_poll(&world, WINDOW_NS);
    assert_true(told_rest(&world, "47 more faults of 0000:00:03.0"));
    world_finish(&world);
}

/** What was not told when the instance stops is told then. */
static void told_at_the_end(void **state)
{
    struct line_world world = {0};

    (void)state;
    world_start(&world, 1);
    misbehave(&world, 0, LINES + 4);
    assert_int_equal(world.rests, 0);
    world_finish(&world);
    assert_true(told_rest(&world, "4 more faults of "));
}

static void none_where_not_wanted(void **state)
{
    struct line_world world = {.fault_lines = SLUICE_NO_FAULT_LINES};

    (void)state;
    world_start(&world, 1);
    misbehave(&world, 0, 10);
    wait_and_poll(&world, WINDOW_NS);
    assert_int_equal(world.lines_a + world.rests, 0);
    world_finish(&world);
}

/* ---- at a time ---- */

/** The host is asked for a poll when a window ends, and once. */
static void asks_for_a_poll(void **state)
{
    struct line_world world = {0};
    uint64_t asked_at;

    (void)state;
    world_start(&world, 1);
    assert_int_equal(world.asked, 0);
    misbehave(&world, 0, LINES + 1);
    assert_int_equal(world.asked, 1);
    asked_at = world.poll_at;
    assert_in_range(asked_at, WINDOW_NS, model_host_clock(world.scene.machine->host) + WINDOW_NS);
    misbehave(&world, 0, 5);
    assert_int_equal(world.asked, 1);
    model_host_clock_advance(world.scene.machine->host,
                             asked_at - model_host_clock(world.scene.machine->host));
    (void)sluice_fault_poll(world.scene.sluice);
    assert_true(told_rest(&world, "6 more faults of "));
    assert_int_equal(world.asked, 1);
    world_finish(&world);
}

/** A silence ends at the time that was asked for, though nobody faults. */
static void silence_ends_by_itself(void **state)
{
    struct line_world world = {.flood_faults = FLOOD, .fault_lines = SLUICE_NO_FAULT_LINES};
    struct sluice_device_health health;
    uint64_t now;

    (void)state;
    world_start(&world, 1);
    misbehave(&world, 0, FLOOD);
    assert_int_equal(sluice_device_health(world.devices[0], &health), SLUICE_OK);
    assert_true(health.silenced);
    now = model_host_clock(world.scene.machine->host);
    assert_in_range(world.poll_at, now + SILENCE_NS - SECOND, now + SILENCE_NS);
    model_host_clock_advance(world.scene.machine->host, world.poll_at - now);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(sluice_device_health(world.devices[0], &health), SLUICE_OK);
    assert_false(health.silenced);
    world_finish(&world);
}

/* ---- strangers ---- */

static uint64_t silences(const struct line_world *world)
{
    struct sluice_fault_counts counts;

    sluice_fault_counts(world->scene.sluice, &counts);
    return counts.silences;
}

static unsigned sources_of(const struct line_world *world)
{
    struct sluice *sluice = world->scene.sluice;
    unsigned count = 0;

    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each(node, &sluice->sources[i])
        {
            count += container_of(node, struct source, node)->users == 0;
        }
    }
    return count;
}

/** One that floods is silenced in hardware like a device; a device that comes by its ID is heard.
 */
static void a_stranger_floods(void **state)
{
    struct line_world world = {.flood_faults = FLOOD};
    unsigned before;

    (void)state;
    world_start(&world, 1);
    misbehave(&world, 1, FLOOD);
    if (scene_on_smmu3()) { /* a stream without an entry is told of, and one that aborts is not */
        assert_in_range(world.scene.faults, 0, FLOOD);
    } else if (scene_on_virtio()) {
        assert_int_equal(silences(&world), 0);
        assert_true(model_host_logged(world.scene.machine->host, "it cannot be told not to"));
        world_finish(&world);
        return;
    } else {
        assert_int_equal(world.lines_stranger, LINES);
    }
    assert_int_equal(silences(&world), world.scene.faults >= FLOOD);
    before = world.scene.faults;
    misbehave(&world, 1, 200);
    if (silences(&world) != 0)
        assert_int_equal(world.scene.faults, before);
    before = world.scene.faults;
    misbehave(&world, 0, 3);
    assert_int_equal(world.scene.faults, before + 3);
    if (silences(&world) != 0) {
        assert_int_equal(sources_of(&world), 1);
        wait_and_poll(&world, SILENCE_NS);
        assert_int_equal(sources_of(&world), 0);
        before = world.scene.faults;
        misbehave(&world, 1, FLOOD);
        assert_true(world.scene.faults > before || scene_on_smmu3());
        misbehave(&world, 1, 10);
    }
    world.devices[1] = scene_device(&world.scene, RID_B);
    assert_int_equal(sources_of(&world), 0);
    assert_int_equal(sluice_domain_attach(world.domain, world.devices[1]), SLUICE_OK);
    before = world.scene.faults;
    misbehave(&world, 1, 2);
    assert_int_equal(world.scene.faults, before + 2);
    world_finish(&world);
}

static struct unit *unit_of(struct line_world *world)
{
    return container_of(world->scene.sluice->units.next, struct unit, node);
}

static void invent(struct line_world *world, uint32_t id, unsigned faults)
{
    struct unit *unit = unit_of(world);
    struct sluice_fault fault = {.unit = unit->name,
                                 .source = id,
                                 .pasid = SLUICE_NO_PASID,
                                 .access = SLUICE_ACCESS_READ,
                                 .reason = SLUICE_FAULT_BLOCKED,
                                 .address_valid = true};

    for (unsigned i = 0; i < faults; i++) {
        fault.time_ns = model_host_clock(world->scene.machine->host);
        unit_fault_deliver(unit, &fault);
    }
    (void)model_host_run_events(world->scene.machine->host);
}

/** Whoever invents requester IDs gets no more than there is room for; all are counted. */
static void a_crowd_is_bounded(void **state)
{
    struct line_world world = {.flood_faults = FLOOD};
    uint64_t allocations;

    (void)state;
    world_start(&world, 1);
    for (unsigned i = 0; i < 3 * WATCH_STRANGERS; i++)
        invent(&world, 0x100 + i, LINES);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(world.lines_stranger, (WATCH_STRANGERS + 1) * LINES);
    wait_and_poll(&world, WINDOW_NS);
    assert_true(told_rest(&world, "93 more faults of further sources of no known device"));
    allocations = model_host_allocations(world.scene.machine->host);
    for (unsigned i = 0; i < 3 * WATCH_STRANGERS; i++)
        invent(&world, 0x100 + i, FLOOD);
    (void)sluice_fault_poll(world.scene.sluice);
    if (scene_on_virtio())
        assert_int_equal(silences(&world), 0);
    else
        assert_in_range(silences(&world), 1, WATCH_STRANGERS);
    assert_in_range(sources_of(&world), 0, WATCH_STRANGERS);
    assert_in_range(model_host_allocations(world.scene.machine->host) - allocations, 0,
                    4 * WATCH_STRANGERS);
    /* Who has been quiet for long makes room, once somebody asks for it. */
    wait_and_poll(&world, SILENCE_NS + WINDOW_NS);
    wait_and_poll(&world, SILENCE_NS + WINDOW_NS);
    invent(&world, 0x7ff, 1);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(sources_of(&world), 0);
    invent(&world, 0x800, FLOOD);
    (void)sluice_fault_poll(world.scene.sluice);
    wait_and_poll(&world, WINDOW_NS);
    assert_true(told_rest(&world, "17 more faults of "));
    assert_true(told_rest(&world, " source 0x800 in the last"));
    world_finish(&world);
}

#define EVERY_UNIT                                                                                 \
    cmocka_unit_test(each_by_itself), cmocka_unit_test(nobody_is_hidden),                          \
        cmocka_unit_test(told_at_the_end), cmocka_unit_test(none_where_not_wanted),                \
        cmocka_unit_test(asks_for_a_poll), cmocka_unit_test(a_stranger_floods),                    \
        cmocka_unit_test(a_crowd_is_bounded)

int main(void)
{
    const struct CMUnitTest can[] = {EVERY_UNIT, cmocka_unit_test(silence_ends_by_itself)};
    const struct CMUnitTest cannot[] = {EVERY_UNIT};

    return scene_on_virtio() ? cmocka_run_group_tests(cannot, NULL, NULL)
                             : cmocka_run_group_tests(can, NULL, NULL);
}
