// SPDX-License-Identifier: MIT
/*
 * Process directories of a RISC-V IOMMU: requests with a PASID, judged by what they reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"

#define NONE        SLUICE_NO_PASID
#define PASID       5u
#define UNKNOWN     9u
#define BLOCKED     -1
#define ELSEWHERE   -2 /* memory that is neither domain's */
#define TYPE        260u
#define DDT_INVALID 258u
#define PDT_LOAD    265u
#define PDT_INVALID 266u
#define PDT_BAD     267u
#define RECORDS     8u

static struct source_pasid records[RECORDS]; /* of source 0 */

static struct riscv_model *model_of(struct world *world)
{
    return world->model;
}

/* Which domain's page a request reaches, with a PASID or without. */
static int reach(struct world *world, uint32_t pasid)
{
    const struct model_dma_request request = {.rid = dma_device_rid(world->devices[0]),
                                              .address = WORLD_IOVA,
                                              .has_pasid = pasid != NONE,
                                              .pasid = pasid != NONE ? pasid : 0};
    uint8_t byte = 0;

    if (!riscv_model_dma(model_of(world), &request, &byte, 1, NULL))
        return BLOCKED;
    for (int i = 0; i < 2; i++) {
        if (byte == *(const uint8_t *)world->domains[i].page.virt)
            return i;
    }
    return ELSEWHERE;
}

static unsigned cause(struct world *world, uint32_t pasid)
{
    (void)world_drain(world);
    world->faults = 0;
    assert_int_equal(reach(world, pasid), BLOCKED);
    (void)world_drain(world);
    assert_int_equal(world->faults, 1);
    assert_int_equal(world->fault.pasid, pasid);
    return world->fault.hardware_code;
}

/* The layer above keeps who is where. */
static struct source_pasid *record_of(struct source *source, uint32_t pasid)
{
    struct source_pasid *free = NULL;

    for (unsigned i = 0; i < RECORDS; i++) {
        if (records[i].link != NULL && records[i].pasid == pasid)
            return &records[i];
        if (records[i].link == NULL)
            free = &records[i];
    }
    assert_non_null(free);
    free->pasid = pasid;
    source->pasids = NULL;
    for (unsigned i = 0; i < RECORDS; i++) {
        records[i].next = source->pasids;
        source->pasids = &records[i];
    }
    return free;
}

static enum sluice_status point(struct world *world, uint32_t pasid, struct world_domain *domain)
{
    struct source *source = &world->sources[0];
    struct source_pasid *record = record_of(source, pasid);
    struct domain_link *to = domain != NULL ? &domain->link : NULL;
    enum sluice_status status;

    if (to != NULL && source->ats_enabled)
        to->ats_sources++;
    status = world->unit->ops->attach(world->unit, source, pasid, to);
    if (status == SLUICE_ERR_NO_MEMORY || status == SLUICE_ERR_UNSUPPORTED) {
        if (to != NULL && source->ats_enabled)
            to->ats_sources--;
        return status;
    }
    if (record->link != NULL && source->ats_enabled)
        record->link->ats_sources--;
    record->link = status == SLUICE_OK ? to : NULL;
    return status;
}

static void begin(struct world *world, const struct world_config *config)
{
    memset(records, 0, sizeof(records));
    world_begin(world, config);
}

/* ---- who goes where ---- */

static void moves(struct world *world)
{
    struct world_domain *zero = &world->domains[0], *one = &world->domains[1];

    assert_int_equal(cause(world, PASID), TYPE); /* no directory */
    assert_int_equal(point(world, PASID, one), SLUICE_OK);
    assert_int_equal(reach(world, NONE), 0);
    assert_int_equal(reach(world, PASID), 1);
    assert_int_equal(cause(world, UNKNOWN), PDT_INVALID);
    assert_int_equal(world->fault.reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(point(world, UNKNOWN, zero), SLUICE_OK);
    assert_int_equal(reach(world, UNKNOWN), 0);
    /* Each moves by itself. */
    assert_int_equal(world_attach(world, 0, one), SLUICE_OK);
    assert_int_equal(reach(world, NONE), 1);
    assert_int_equal(reach(world, PASID), 1);
    assert_int_equal(reach(world, UNKNOWN), 0);
    assert_int_equal(point(world, PASID, zero), SLUICE_OK);
    assert_int_equal(reach(world, PASID), 0);
    assert_int_equal(reach(world, NONE), 1);
    /* Whoever is in no domain is blocked whole, and comes back whole. */
    assert_int_equal(world_attach(world, 0, NULL), SLUICE_OK);
    assert_int_equal(cause(world, PASID), DDT_INVALID);
    assert_int_equal(reach(world, NONE), BLOCKED);
    assert_int_equal(point(world, UNKNOWN, one), SLUICE_OK);
    assert_int_equal(world_attach(world, 0, zero), SLUICE_OK);
    assert_int_equal(reach(world, NONE), 0);
    assert_int_equal(reach(world, PASID), 0);
    assert_int_equal(reach(world, UNKNOWN), 1);
    /* The last one takes the directory with it. */
    assert_int_equal(point(world, UNKNOWN, NULL), SLUICE_OK);
    assert_int_equal(cause(world, UNKNOWN), PDT_INVALID);
    assert_int_equal(point(world, PASID, NULL), SLUICE_OK);
    assert_int_equal(cause(world, PASID), TYPE);
    assert_int_equal(reach(world, NONE), 0);
    assert_int_equal(point(world, PASID, NULL), SLUICE_OK); /* so it is already */
}

/* Directories of each depth, and the widest PASID that each takes. */
static void depths(void **state)
{
    static const struct {
        unsigned modes, bits;
    } rows[] = {{1, 8}, {2, 17}, {4, 20}, {3, 17}, {7, 20}};

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world_config config = world_defaults();
        struct world world;
        uint32_t widest = (1u << rows[i].bits) - 1;

        config.model.processes = rows[i].modes;
        begin(&world, &config);
        assert_int_equal(world.unit->caps.pasid_bits, rows[i].bits);
        moves(&world);
        assert_int_equal(point(&world, widest, &world.domains[1]), SLUICE_OK);
        assert_int_equal(reach(&world, widest), 1);
        assert_int_equal(cause(&world, PASID), PDT_INVALID);
        if (rows[i].bits < 20)
            assert_int_equal(cause(&world, widest + 1), TYPE);
        assert_int_equal(point(&world, widest + 1, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
        assert_int_equal(point(&world, widest, NULL), SLUICE_OK);
        world_finish(&world);
    }
}

static void refused(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    assert_int_equal(point(&world, 0, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(reach(&world, NONE), 0);
    world_finish(&world);
    config.model.processes = 0;
    begin(&world, &config);
    assert_int_equal(world.unit->caps.pasid_bits, 0);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    world_finish(&world);
    /* A second stage below a directory would be a guest's. */
    config.model.processes = 7;
    config.format = &pt_format_riscv_second_stage;
    begin(&world, &config);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(cause(&world, PASID), TYPE);
    world_finish(&world);
    config.model.sv39 = config.model.sv48 = config.model.sv57 = false;
    begin(&world, &config);
    assert_int_equal(world.unit->caps.pasid_bits, 0);
    world_finish(&world);
}

/* Beside a device that passes, a PASID is confined all the same. */
static void beside_pass_through(void **state)
{
    struct world_config config = world_defaults();
    struct world_domain pass = {.link = {.pt = NULL}};
    const struct model_dma_request request = {.rid = SLUICE_RID(0, 3, 0)};
    struct model_dma_request plain = request;
    struct world world;
    uint8_t byte = 0;

    (void)state;
    begin(&world, &config);
    pass.link.unit = world.unit;
    assert_int_equal(world.unit->ops->link_open(world.unit, &pass.link), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &pass), SLUICE_OK);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_OK);
    assert_int_equal(point(&world, UNKNOWN, &pass), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(reach(&world, PASID), 1);
    plain.rid = dma_device_rid(world.devices[0]);
    plain.address = world.domains[0].page.phys;
    assert_true(riscv_model_dma(model_of(&world), &plain, &byte, 1, NULL));
    assert_int_equal(byte, *(uint8_t *)world.domains[0].page.virt);
    assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->link_close(world.unit, &pass.link), SLUICE_OK);
    world_finish(&world);
}

static void before_the_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    memset(records, 0, sizeof(records));
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(reach(&world, NONE), 0);
    assert_int_equal(reach(&world, PASID), 1);
    assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
    world_finish(&world);
}

/* What is unmapped is not reached by any PASID; the PASIDs of another domain keep what they had. */
static void stale(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_OK);
    assert_int_equal(point(&world, UNKNOWN, &world.domains[0]), SLUICE_OK);
    assert_int_equal(reach(&world, PASID), 1);
    assert_int_equal(reach(&world, UNKNOWN), 0);
    assert_int_equal(world_unmap(&world, &world.domains[1]), SLUICE_OK);
    assert_int_equal(reach(&world, PASID), BLOCKED);
    assert_int_equal(reach(&world, UNKNOWN), 0);
    assert_int_equal(reach(&world, NONE), 0);
    assert_int_equal(world_map(&world, &world.domains[1]), SLUICE_OK);
    assert_int_equal(reach(&world, PASID), 1);
    assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
    assert_int_equal(point(&world, UNKNOWN, NULL), SLUICE_OK);
    world_finish(&world);
}

/* ---- memory ---- */

/* Tables come with the first PASID that needs them and go with the last. */
static void tables_go(void **state)
{
    static const uint32_t pasids[] = {1, 0x1ff, 0x300, 0x20001, 0xfffff};
    struct world_config config = world_defaults();
    uint64_t pages, most;
    struct world world;

    (void)state;
    begin(&world, &config);
    pages = model_host_pages_in_use(world.host);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(point(&world, pasids[i], &world.domains[i % 2]), SLUICE_OK);
    most = model_host_pages_in_use(world.host);
    assert_int_equal(most, pages + 3 + 2 + 2 + 2);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(reach(&world, pasids[i]), (int)i % 2);
    assert_int_equal(point(&world, 0x300, NULL), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world.host), most - 1);
    assert_int_equal(cause(&world, 0x300), PDT_INVALID);
    assert_int_equal(point(&world, 0x20001, NULL), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world.host), most - 3);
    assert_int_equal(cause(&world, 0x20001), PDT_INVALID);
    assert_int_equal(reach(&world, 0xfffff), 0);
    assert_int_equal(point(&world, 0x300, &world.domains[1]), SLUICE_OK); /* in a new table */
    assert_int_equal(reach(&world, 0x300), 1);
    assert_int_equal(point(&world, 1, NULL), SLUICE_OK);
    assert_int_equal(point(&world, 0x1ff, NULL), SLUICE_OK);
    assert_int_equal(point(&world, 0xfffff, NULL), SLUICE_OK);
    assert_int_equal(reach(&world, 0x300), 1);
    assert_int_equal(reach(&world, NONE), 0);
    assert_int_equal(point(&world, 0x300, NULL), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world.host), pages);
    world_finish(&world);
}

static void no_memory(void **state)
{
    struct world_config config = world_defaults();
    unsigned failures = 0;
    struct world world;
    uint64_t pages;

    (void)state;
    config.ats = true;
    config.model.ats = true;
    begin(&world, &config);
    pages = model_host_pages_in_use(world.host);
    for (uint64_t nth = 0;; nth++) {
        enum sluice_status status;

        model_host_fail_allocation(world.host, nth, true);
        status = point(&world, 0x20001, &world.domains[1]);
        model_host_fail_no_more(world.host);
        if (status == SLUICE_OK)
            break;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(reach(&world, NONE), 0);
        assert_int_equal(cause(&world, 0x20001), TYPE);
        assert_int_equal(model_host_pages_in_use(world.host), pages);
        failures++;
    }
    assert_true(failures >= 6); /* three levels, two tables, its TLB */
    assert_int_equal(reach(&world, 0x20001), 1);
    assert_int_equal(point(&world, 0x20001, NULL), SLUICE_OK);
    world_finish(&world);
}

/* A directory that is left when the unit is released goes with it. */
static void released_in_use(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    assert_int_equal(point(&world, 0x20001, &world.domains[1]), SLUICE_OK);
    world_finish(&world);
}

/* ---- errors ---- */

static uint64_t *word_at(struct world *world, sluice_phys_t phys)
{
    return host_phys_to_virt(&world->sluice, phys);
}

/* What the unit finds in a directory that somebody wrote to. */
static void broken_tables(void **state)
{
    struct world_config config = world_defaults();
    struct riommu_device *device;
    struct world world;
    uint64_t *root, *leaf;

    (void)state;
    begin(&world, &config);
    assert_int_equal(point(&world, 0x301, &world.domains[1]), SLUICE_OK);
    device = riommu_device_find(riommu_of(world.unit), world.sources[0].id);
    root = device->processes.top[1].virt;
    leaf = word_at(&world, riommu_directory_table(root[3])) + 2 * 1;
    assert_int_equal(reach(&world, 0x301), 1);
    leaf[0] |= 1u << 5;
    assert_int_equal(reach(&world, 0x301), 1); /* cached */
    riscv_model_evict(model_of(&world));
    assert_int_equal(cause(&world, 0x301), PDT_BAD);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_BAD_ENTRY);
    leaf[0] ^= 1u << 5;
    leaf[1] ^= UINT64_C(5) << 60; /* no such mode */
    assert_int_equal(cause(&world, 0x301), PDT_BAD);
    leaf[1] ^= UINT64_C(5) << 60;
    root[3] |= UINT64_C(1) << 60;
    riscv_model_evict(model_of(&world));
    assert_int_equal(cause(&world, 0x301), PDT_BAD);
    root[3] ^= UINT64_C(1) << 60;
    world_inject(&world,
                 (struct riscv_model_injection){.bad_fetch = riommu_directory_table(root[3])});
    assert_int_equal(cause(&world, 0x301), PDT_LOAD);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_TABLE_ACCESS);
    world_inject(&world, (struct riscv_model_injection){.bad_fetch = 0});
    assert_int_equal(reach(&world, 0x301), 1);
    assert_int_equal(point(&world, 0x301, NULL), SLUICE_OK);
    world_finish(&world);
}

/* Whatever command the unit refuses: nobody reaches more than before or afterwards. */
static void refused_commands(void **state)
{
    struct world_config config = world_defaults();
    unsigned failures = 0;

    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        for (unsigned nth = 1; nth < 12; nth++) {
            struct world_domain *zero, *one;
            enum sluice_status status;
            struct world world;
            int now;

            begin(&world, &config);
            zero = &world.domains[0];
            one = &world.domains[1];
            if (what > 0)
                assert_int_equal(point(&world, PASID, one), SLUICE_OK);
            assert_int_equal(reach(&world, PASID), what > 0 ? 1 : BLOCKED);
            world_inject(&world, (struct riscv_model_injection){.illegal_at = nth});
            status = what == 0   ? point(&world, PASID, one)
                     : what == 1 ? point(&world, PASID, zero)
                     : what == 2 ? point(&world, PASID, NULL)
                                 : world_attach(&world, 0, one);
            world_inject(&world, (struct riscv_model_injection){.illegal_at = 0});
            if (status != SLUICE_OK) {
                failures++;
                assert_int_equal(status, SLUICE_ERR_HARDWARE);
                assert_true(world_degraded(&world));
                /* What the unit did not confirm it may go on with: the old, never the new. */
                now = reach(&world, what == 3 ? NONE : PASID);
                assert_true(now == BLOCKED || (what > 0 && now == (what == 3 ? 0 : 1)));
                /* And it can be put back. */
                assert_int_equal(world_attach(&world, 0, zero), SLUICE_OK);
                assert_int_equal(point(&world, PASID, one), SLUICE_OK);
                assert_int_equal(reach(&world, NONE), 0);
                assert_int_equal(reach(&world, PASID), 1);
            }
            assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
            world_finish(&world);
        }
    }
    assert_true(failures > 12);
}

/* ---- device TLBs ---- */

static void device_tlbs(void **state)
{
    struct world_config config = world_defaults();
    struct riscv_model_stats before, after;
    struct world world;

    (void)state;
    config.ats = true;
    config.model.ats = true;
    begin(&world, &config);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_OK);
    assert_int_equal(reach(&world, PASID), 1);
    before = world_stats(&world);
    assert_int_equal(world_unmap(&world, &world.domains[1]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc_pasid, before.atc_pasid + 1);
    assert_int_equal(after.atc, before.atc + 1);
    assert_int_equal(point(&world, PASID, &world.domains[0]), SLUICE_OK);
    before = world_stats(&world);
    assert_int_equal(before.atc_pasid, after.atc_pasid + 1);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc_pasid, before.atc_pasid + 1); /* with and without */
    assert_int_equal(after.atc, before.atc + 2);
    assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
    world_finish(&world);
}

/* ---- no open window ---- */

struct watch {
    struct world *world;
    bool on;
    unsigned looks;
    int none[2], pasid[2]; /* what may be reached, beside nothing */
};

static struct watch watch;

/* Between any two commands of the unit. */
static void look(void *arg)
{
    int none, pasid;

    (void)arg;
    if (!watch.on)
        return;
    none = reach(watch.world, NONE);
    pasid = reach(watch.world, PASID);
    watch.looks++;
    assert_true(none == BLOCKED || none == watch.none[0] || none == watch.none[1]);
    assert_true(pasid == BLOCKED || pasid == watch.pasid[0] || pasid == watch.pasid[1]);
}

static void watched(struct world *world, int none, int pasid)
{
    watch.none[0] = watch.none[1];
    watch.pasid[0] = watch.pasid[1];
    watch.none[1] = none;
    watch.pasid[1] = pasid;
    watch.on = true;
    (void)world;
}

static void seen(struct world *world)
{
    watch.on = false;
    assert_true(watch.looks > 0);
    watch.looks = 0;
    assert_int_equal(reach(world, NONE), watch.none[1]);
    assert_int_equal(reach(world, PASID), watch.pasid[1]);
}

static void no_open_window(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.queue_mode = RISCV_MODEL_AT_TICK;
    begin(&world, &config);
    watch = (struct watch){.world = &world, .none = {0, 0}, .pasid = {BLOCKED, BLOCKED}};
    model_host_add_tick(world.host, look, NULL);
    watched(&world, 0, 1);
    assert_int_equal(point(&world, PASID, &world.domains[1]), SLUICE_OK);
    seen(&world);
    watched(&world, 1, 1);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    seen(&world);
    watched(&world, 1, 0);
    assert_int_equal(point(&world, PASID, &world.domains[0]), SLUICE_OK);
    seen(&world);
    watched(&world, BLOCKED, BLOCKED);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    seen(&world);
    watched(&world, 0, 0);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    seen(&world);
    watched(&world, 0, BLOCKED);
    assert_int_equal(point(&world, PASID, NULL), SLUICE_OK);
    seen(&world);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depths),
        cmocka_unit_test(refused),
        cmocka_unit_test(beside_pass_through),
        cmocka_unit_test(before_the_start),
        cmocka_unit_test(stale),
        cmocka_unit_test(tables_go),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(released_in_use),
        cmocka_unit_test(broken_tables),
        cmocka_unit_test(refused_commands),
        cmocka_unit_test(device_tlbs),
        cmocka_unit_test(no_open_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
