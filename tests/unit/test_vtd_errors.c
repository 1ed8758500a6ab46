// SPDX-License-Identifier: MIT
/*
 * The VT-d driver when the hardware fails, one injected error at a time: the caller learns of it,
 * nothing is claimed that was not confirmed, no wait is endless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vtd_world.h"

static void begin(struct world *world, const struct world_config *config)
{
    world_init(world, config);
    world_probe(world);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), 0);
}

static void inject(struct world *world, struct vtd_model_injection injection)
{
    vtd_model_inject(world->model, &injection);
}

static bool degraded(const struct world *world)
{
    return atomic_load(&world->unit->degraded) != 0;
}

static uint64_t withheld(struct world_domain *domain, uint64_t before)
{
    return atomic_load(&domain->pt.table_pages) == before;
}

/* An unmap that the unit does not confirm: error, degraded, tables kept. */
static void unmap_fails(struct world *world, enum sluice_status want)
{
    uint64_t tables = atomic_load(&world->domains[0].pt.table_pages);

    assert_int_equal(world_unmap(world, &world->domains[0]), want);
    assert_true(degraded(world));
    assert_true(withheld(&world->domains[0], tables));
}

static void completion_never_comes(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.wait_never_written = true});
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    /* And it stays so: a late success of something else proves nothing. */
    inject(&world, (struct vtd_model_injection){0});
    assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_false(vtd_model_translating(world.model));
    world_abandon(&world);
}

static void queue_stuck(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.queue_stuck = true});
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

/* A queue that does not move fills: submitting fails in bounded time, and never overruns. */
static void queue_full(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[200];
    enum sluice_status status = SLUICE_OK;
    unsigned count = 0;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.queue_stuck = true});
    while (status == SLUICE_OK && count < 200) {
        status = world.unit->ops->invalidate_submit(world.unit, &all, &tickets[count]);
        count++;
    }
    assert_int_equal(status, SLUICE_ERR_TIMEOUT);
    assert_true(count > 32);
    for (unsigned i = 0; i + 1 < count; i++)
        assert_int_not_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    assert_int_equal(model_host_violations_print(world.host), 0);
    world_abandon(&world);
}

/* Full, but moving: everything is confirmed, many times round the ring. */
static void queue_round_and_round(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[300];

    (void)state;
    config.model.queue_mode = VTD_MODEL_AT_TICK;
    begin(&world, &config);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 300; i++)
            assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                             SLUICE_OK);
        for (unsigned i = 300; i-- > 0;)
            assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    }
    world_finish(&world);
}

static void iqe(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct vtd_model_stats before, after;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.iqe_at = 1});
    vtd_model_stats(world.model, &before);
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    vtd_model_stats(world.model, &after);
    assert_int_equal(after.iotlb_page, before.iotlb_page); /* the refused one was taken out */
    assert_true(model_host_logged(world.host, "IOTLB invalidation refused"));
    /* What came later goes on: the queue recovered. */
    assert_int_equal(world_map(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    world_finish(&world);
}

/* The batch before an error is not blamed, the one behind it is not lost. */
static void iqe_between(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[3];

    (void)state;
    config.model.queue_mode = VTD_MODEL_AT_TICK;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.iqe_at = 3});
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                         SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[2]), SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[1]),
                     SLUICE_ERR_HARDWARE);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[0]), SLUICE_OK);
    world_finish(&world);
}

static void device_config(struct world_config *config)
{
    *config = world_defaults();
    config->model.device_tlb = true;
    config->ats = true;
}

/* One time-out is repeated and then confirmed: the device TLB really is empty. */
static void ite_once(void **state)
{
    struct world_config config;
    struct world world;
    struct vtd_model_stats stats;

    (void)state;
    device_config(&config);
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.ite_at = 1});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    vtd_model_stats(world.model, &stats);
    assert_int_equal(stats.device_tlb, 2);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_true(model_host_logged(world.host, "0000:00:03.0"));
    world_finish(&world);
}

/* A device that never answers: an error, never a false success. */
static void ite_always(void **state)
{
    struct world_config config;
    struct world world;

    (void)state;
    device_config(&config);
    config.model.queue_mode = VTD_MODEL_AT_TICK;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.ite_at = 1});
    dma_device_withhold(world.devices[0], true);
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    world_abandon(&world);
}

static void ice(void **state)
{
    struct world_config config;
    struct world world;

    (void)state;
    device_config(&config);
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.ice_at = 1});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    world_finish(&world);
}

static void registers_never_done(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.avoid_queues = true;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.iotlb_never_done = true});
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    world_abandon(&world);
}

static void attach_not_confirmed(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.avoid_queues = true;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.context_never_done = true});
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_ERR_TIMEOUT);
    assert_true(degraded(&world));
    vtd_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), -1); /* blocked, not in the new domain */
    world_abandon(&world);
}

/*
 * A source whose context invalidation was lost: the unit still holds its old entry, and
 * translations with the old domain ID. Neither may be of use to it once it is attached again.
 */
static void id_after_lost_invalidation(void **state)
{
    struct world_config config = world_defaults();
    struct domain_link links[16] = {0};
    struct domain_link *same = NULL;
    enum sluice_status closed;
    struct world world;
    uint32_t lost;

    (void)state;
    config.avoid_queues = true;
    config.model.domain_bits = 4;
    begin(&world, &config);
    lost = world.domains[0].link.tag;
    inject(&world,
           (struct vtd_model_injection){.context_never_done = true, .lost_invalidations = true});
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_TIMEOUT);
    assert_true(vtd_model_iotlb_entries(world.model) > 0);
    /* It ends late, and did nothing. */
    inject(&world, (struct vtd_model_injection){.lost_invalidations = true});
    for (unsigned i = 0; i < 8; i++)
        (void)world_drain(&world);
    assert_true(vtd_model_context_entries(world.model) > 0);
    inject(&world, (struct vtd_model_injection){0});
    closed = world.unit->ops->link_close(world.unit, &world.domains[0].link);
    for (unsigned i = 0; i < 16 && same == NULL; i++) {
        links[i] = (struct domain_link){.unit = world.unit, .pt = &world.domains[1].pt};
        if (world.unit->ops->link_open(world.unit, &links[i]) == SLUICE_OK && links[i].tag == lost)
            same = &links[i];
    }
    assert_true((closed == SLUICE_OK) == (same != NULL));
    if (same != NULL) {
        assert_int_equal(
            world.unit->ops->attach(world.unit, &world.sources[0], SLUICE_NO_PASID, same),
            SLUICE_OK);
        assert_int_equal(world_reaches(&world, 0), 1);
    }
    world_abandon(&world);
}

static void gone_after_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.gone_at = 1});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

/* Each handshake of start that never ends: an error, off or exposed, never a false start. */
static void start_stuck(void **state)
{
    static const uint32_t bits[] = {1u << 31, 1u << 30, 1u << 26};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world_config config = world_defaults();
        struct world world;

        world_init(&world, &config);
        world_probe(&world);
        inject(&world, (struct vtd_model_injection){.stuck_gsts = bits[i]});
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
        assert_false(world.unit->started);
        assert_false(vtd_model_translating(world.model));
        world_abandon(&world);
    }
}

/* Stop that is not confirmed: the pages the unit may read are not given back. */
static void stop_stuck(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    inject(&world, (struct vtd_model_injection){.stuck_gsts = 1u << 31});
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_ERR_TIMEOUT);
    world.unit->ops->release(world.unit);
    assert_int_equal(atomic_load(&world.sluice.withheld_pages), 4);
    world_abandon(&world);
}

static void faults_overflow(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    uint8_t byte;

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    for (unsigned i = 0; i < 20; i++)
        assert_false(
            dma_device_read(world.devices[1], WORLD_IOVA + i * SLUICE_PAGE_BYTES, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 8);
    assert_true(world.fault.records_lost);
    /* Recording goes on, in the order of the ring, from where it stopped. */
    for (unsigned i = 0; i < 6; i++)
        assert_false(
            dma_device_read(world.devices[1], WORLD_IOVA + i * SLUICE_PAGE_BYTES, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 6);
    assert_int_equal(world.fault.address, WORLD_IOVA + 5 * SLUICE_PAGE_BYTES);
    assert_false(world.fault.records_lost);
    for (unsigned i = 0; i < 4; i++)
        assert_false(
            dma_device_read(world.devices[1], WORLD_IOVA + i * SLUICE_PAGE_BYTES, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 4);
    assert_int_equal(world.fault.address, WORLD_IOVA + 3 * SLUICE_PAGE_BYTES);
    world_finish(&world);
}

/* Every allocation that fails: the call fails, nothing leaks, nothing was written. */
static void no_memory(void **state)
{
    struct world_config config = world_defaults();
    bool done = false;

    (void)state;
    for (unsigned nth = 0; !done && nth < 20; nth++) {
        struct world world;
        enum sluice_status status;
        struct vtd_model_stats stats;

        world_init(&world, &config);
        model_host_fail_allocation(world.host, nth, false);
        status = vtd_unit_ops.probe(&world.sluice, &world.desc, &world.unit);
        model_host_fail_no_more(world.host);
        vtd_model_stats(world.model, &stats);
        assert_int_equal(stats.register_writes, 0);
        done = status == SLUICE_OK;
        if (done)
            world.unit->ops->release(world.unit);
        else
            assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(model_host_pages_in_use(world.host), 0);
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        assert_int_equal(model_host_mmio_maps(world.host), 0);
        world_abandon(&world);
    }
    assert_true(done);
}

/* Registers that only say who they are. */
struct identity {
    uint32_t version;
    uint64_t cap;
    uint64_t ecap;
    unsigned writes;
};

static uint64_t identity_read(void *arg, uint64_t offset, unsigned width)
{
    const struct identity *identity = arg;

    (void)width;
    if (offset == VTD_REG_VER)
        return identity->version;
    return offset == VTD_REG_CAP ? identity->cap : offset == VTD_REG_ECAP ? identity->ecap : 0;
}

static void identity_write(void *arg, uint64_t offset, unsigned width, uint64_t value)
{
    struct identity *identity = arg;

    (void)offset;
    (void)width;
    (void)value;
    identity->writes++;
}

#define OTHER_BASE ((sluice_phys_t)0xfed91000)

/* CAP and ECAP of a real server unit, and what it takes to make them absurd. */
#define REAL_CAP  0x8d2078c106f0466u
#define REAL_ECAP 0xf020dfu

static enum sluice_status probe_identity(struct identity identity, sluice_phys_t base)
{
    static const struct model_mmio_ops ops = {.read = identity_read, .write = identity_write};
    struct world_config config = world_defaults();
    struct world world;
    enum sluice_status status;

    world_init(&world, &config);
    model_host_add_mmio(world.host, OTHER_BASE, SLUICE_PAGE_BYTES, &ops, &identity);
    world.desc.base = base;
    status = vtd_unit_ops.probe(&world.sluice, &world.desc, &world.unit);
    assert_int_equal(identity.writes, 0);
    if (status == SLUICE_OK)
        world.unit->ops->release(world.unit);
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    assert_int_equal(model_host_mmio_maps(world.host), 0);
    world_abandon(&world);
    return status;
}

static void absurd_units(void **state)
{
    const struct identity real = {.version = 0x10, .cap = REAL_CAP, .ecap = REAL_ECAP};
    struct identity odd;

    (void)state;
    assert_int_equal(probe_identity(real, OTHER_BASE), SLUICE_OK);
    assert_int_equal(probe_identity(real, 0), SLUICE_ERR_FIRMWARE);
    assert_int_equal(probe_identity(real, UINT64_MAX), SLUICE_ERR_FIRMWARE);
    odd = (struct identity){.version = UINT32_MAX, .cap = UINT64_MAX, .ecap = UINT64_MAX};
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_HARDWARE);
    odd = (struct identity){0};
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_HARDWARE);
    odd = real;
    odd.cap &= ~VTD_MASK(CAP_SAGAW);
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_UNSUPPORTED);
    odd = real;
    odd.cap |= VTD_MASK(CAP_NFR); /* 256 fault records do not fit */
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_HARDWARE);
    odd = real;
    odd.cap |= VTD_MASK(CAP_FRO);
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_HARDWARE);
    odd = real;
    odd.ecap |= VTD_MASK(ECAP_IRO);
    assert_int_equal(probe_identity(odd, OTHER_BASE), SLUICE_ERR_HARDWARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_never_comes),
        cmocka_unit_test(queue_stuck),
        cmocka_unit_test(queue_full),
        cmocka_unit_test(queue_round_and_round),
        cmocka_unit_test(iqe),
        cmocka_unit_test(iqe_between),
        cmocka_unit_test(ite_once),
        cmocka_unit_test(ite_always),
        cmocka_unit_test(ice),
        cmocka_unit_test(registers_never_done),
        cmocka_unit_test(attach_not_confirmed),
        cmocka_unit_test(id_after_lost_invalidation),
        cmocka_unit_test(gone_after_start),
        cmocka_unit_test(start_stuck),
        cmocka_unit_test(stop_stuck),
        cmocka_unit_test(faults_overflow),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(absurd_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
