// SPDX-License-Identifier: MIT
/*
 * Streams with PASIDs: tables of context descriptors of every shape, what each request reaches, and
 * what the unit says of those that reach nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smmu3_world.h"

#define NEAR 5u

static enum sluice_status pasid_attach(struct world *world, uint32_t pasid,
                                       struct world_domain *domain)
{
    struct source *source = &world->sources[0];

    if (domain != NULL && source->ats_enabled)
        domain->link.ats_sources++;
    return world->unit->ops->attach(world->unit, source, pasid,
                                    domain != NULL ? &domain->link : NULL);
}

/* Which domain's page device 0 reads with a PASID: 0, 1, or -1 when it is refused; *reason why. */
static int pasid_reaches(struct world *world, uint32_t pasid, uint16_t *reason)
{
    const struct model_dma_request request = {.rid = (uint16_t)world->sources[0].id,
                                              .address = WORLD_IOVA,
                                              .has_pasid = true,
                                              .pasid = pasid};
    struct model_dma_result result;
    uint8_t byte = 0;
    bool done = smmu3_model_dma(world->model, &request, &byte, 1, &result);

    if (reason != NULL)
        *reason = result.reason;
    return !done ? -1 : byte == 0x11 ? 0 : byte == 0x22 ? 1 : 2;
}

static struct world_config with_pasids(unsigned bits)
{
    struct world_config config = world_defaults();

    config.model.ssid_bits = bits;
    return config;
}

/* One round through everything, after which nothing may be left and no rule was broken. */
static void walk_through(const struct world_config *config)
{
    const uint32_t far = (1u << config->model.ssid_bits) - 1;
    struct world world;

    world_begin(&world, config);
    assert_int_equal(world.unit->caps.pasid_bits, config->model.ssid_bits);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(world_reaches(&world, 0), 0);
    /* Another one, in the domain of requests without; both are told apart, and from the rest. */
    assert_int_equal(pasid_attach(&world, far, &world.domains[0]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, far, NULL), 0);
    assert_int_equal(pasid_reaches(&world, NEAR + 1, NULL), -1);
    /* From one domain to the other and back. */
    assert_int_equal(pasid_attach(&world, far, &world.domains[1]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, far, NULL), 1);
    assert_int_equal(pasid_attach(&world, far, &world.domains[0]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, far, NULL), 0);
    /* The stream moves; its PASIDs stay where they are. Blocked, all of it is. */
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(pasid_reaches(&world, far, NULL), 0);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
    assert_int_equal(pasid_reaches(&world, far, NULL), -1);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    /* What is unmapped is gone, with and without a PASID. */
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_int_equal(pasid_reaches(&world, far, NULL), -1);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(world_map(&world, &world.domains[0]), SLUICE_OK);
    /* Off, with everything kept, and on again; then without power. */
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    smmu3_model_reset(world.model);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, far, NULL), 0);
    /* One by one they go; then the stream is as it was. */
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
    assert_int_equal(pasid_reaches(&world, far, NULL), 0);
    assert_int_equal(pasid_attach(&world, far, NULL), SLUICE_OK);
    assert_int_equal(pasid_attach(&world, far, NULL), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, far, NULL), -1);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_true(list_empty(&smmu3_of(world.unit)->substreams));
    assert_false(world_degraded(&world));
    world_finish(&world);
}

#define SHAPE(name, bits, change)                                                                  \
    static void shape_##name(void **state)                                                         \
    {                                                                                              \
        struct world_config config = with_pasids(bits);                                            \
                                                                                                   \
        (void)state;                                                                               \
        change;                                                                                    \
        walk_through(&config);                                                                     \
    }

SHAPE(one_page, 6, (void)0)
SHAPE(leaves_4k, 8, (void)0)
SHAPE(leaves_4k_most, 15, (void)0)
SHAPE(leaves_64k, 16, (void)0)
SHAPE(all_pasids, 20, (void)0)
SHAPE(linear, 10, config.model.contexts_2 = false)
SHAPE(few, 3, (void)0)
SHAPE(no_snoop, 8, (config.model.coherent = false, config.host.non_coherent = true))
SHAPE(httu, 8, config.model.httu = 2)
SHAPE(k64, 8, config.model.granules = 4)
SHAPE(slow_queue, 8, config.model.queue_mode = SMMU3_MODEL_AT_TICK)
SHAPE(stalls, 8, config.model.stall = 0)
SHAPE(one_stage, 8, config.model.stage2 = false)

/* Attached before the unit is started, and served from the first moment. */
static void before_start(void **state)
{
    struct world_config config = with_pasids(8);
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    world_finish(&world);
}

/* Requests without a PASID pass through, those with one are translated. */
static void beside_pass_through(void **state)
{
    struct world_config config = with_pasids(8);
    struct domain_link through;
    struct world world;
    uint8_t byte = 0;

    (void)state;
    world_begin(&world, &config);
    through = (struct domain_link){.unit = world.unit};
    assert_int_equal(world.unit->ops->link_open(world.unit, &through), SLUICE_OK);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &world.sources[0], SLUICE_NO_PASID, &through),
        SLUICE_OK);
    world.sources[0].link = &through;
    assert_true(dma_device_read(world.devices[0], world.domains[0].page.phys, &byte, 1, NULL));
    assert_int_equal(byte, 0x11);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    assert_true(dma_device_read(world.devices[0], world.domains[0].page.phys, &byte, 1, NULL));
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    assert_int_equal(world.unit->ops->link_close(world.unit, &through), SLUICE_OK);
    world_finish(&world);
}

static void expect_fault(struct world *world, uint32_t pasid, unsigned event,
                         enum sluice_fault_reason reason)
{
    uint16_t said = 0;

    assert_int_equal(pasid_reaches(world, pasid, &said), -1);
    assert_int_equal(said, event);
    /* The event interrupt has delivered it by now, or nobody has. */
    (void)world_drain(world);
    assert_int_equal(world->fault.hardware_code, event);
    assert_int_equal(world->fault.reason, reason);
    assert_int_equal(world->fault.pasid, pasid);
    assert_int_equal(world->fault.source, world->sources[0].id);
}

/* Each way in which there is no descriptor, as the unit tells it. */
static void faults(void **state)
{
    struct world_config config = with_pasids(8);
    struct smmu3_substreams *streams;
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    expect_fault(&world, NEAR, SMMU3_C_BAD_SUBSTREAMID, SLUICE_FAULT_REQUEST_TYPE);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    expect_fault(&world, 0, SMMU3_C_BAD_SUBSTREAMID, SLUICE_FAULT_REQUEST_TYPE);
    expect_fault(&world, 1u << 8, SMMU3_C_BAD_SUBSTREAMID, SLUICE_FAULT_REQUEST_TYPE);
    /* No second-level table; then one, and no valid descriptor in it. */
    expect_fault(&world, 200, SMMU3_C_BAD_SUBSTREAMID, SLUICE_FAULT_REQUEST_TYPE);
    expect_fault(&world, NEAR + 1, SMMU3_C_BAD_CD, SLUICE_FAULT_BAD_ENTRY);
    assert_int_equal(pasid_attach(&world, 200, &world.domains[1]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, 200, NULL), 1);
    streams = smmu3_substreams_of(smmu3_of(world.unit), world.sources[0].id);
    world_inject(&world, (struct smmu3_model_injection){.bad_fetch = streams->leaves[0].phys});
    expect_fault(&world, NEAR + 2, SMMU3_F_CD_FETCH, SLUICE_FAULT_TABLE_ACCESS);
    world_inject(&world, (struct smmu3_model_injection){0});
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    assert_int_equal(pasid_attach(&world, 200, NULL), SLUICE_OK);
    world_finish(&world);
}

static void refusals(void **state)
{
    struct world_config config = with_pasids(8);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    assert_int_equal(pasid_attach(&world, 0, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(pasid_attach(&world, 1u << 8, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    world_finish(&world);
    /* Tables of stage 2 know no PASIDs. */
    config.format = &pt_format_arm_stage2_4k;
    world_begin(&world, &config);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    world_finish(&world);
}

/* Without memory nothing has changed, wherever it was missing. */
static void allocations(void **state)
{
    struct world_config config = with_pasids(8);
    bool failed = true;
    struct world world;

    (void)state;
    world_begin(&world, &config);
    for (unsigned i = 0; failed; i++) {
        enum sluice_status status;

        model_host_fail_allocation(world.host, i, false);
        status = pasid_attach(&world, NEAR, &world.domains[1]);
        model_host_fail_no_more(world.host);
        failed = status != SLUICE_OK;
        if (!failed)
            break;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
        assert_int_equal(world_reaches(&world, 0), 0);
        assert_true(list_empty(&smmu3_of(world.unit)->substreams));
        assert_true(i < 10);
    }
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    world_finish(&world);
}

/* An invalidation that is not seen: the PASID is refused, and its table is not given back. */
static void lost(void **state)
{
    struct world_config config = with_pasids(8);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 1);
    world_inject(&world, (struct smmu3_model_injection){.illegal_at = 1});
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_ERR_HARDWARE);
    assert_true(world_degraded(&world));
    assert_false(list_empty(&smmu3_of(world.unit)->substreams));
    world_inject(&world, (struct smmu3_model_injection){0});
    /* Asked again, everything is forgotten first. */
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[0]), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), 0);
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    assert_int_equal(pasid_reaches(&world, NEAR, NULL), -1);
    world_finish(&world);
}

/* Device TLBs keep PASIDs apart, and are told which. */
static void device_tlb(void **state)
{
    struct world_config config = with_pasids(8);
    struct smmu3_model_stats before, after;
    struct world world;

    (void)state;
    config.model.ats = config.ats = true;
    world_begin(&world, &config);
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_OK);
    before = world_stats(&world);
    assert_int_equal(world_unmap(&world, &world.domains[1]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc - before.atc, 1);
    assert_int_equal(after.atc_pasid - before.atc_pasid, 1);
    /* A stream that is blocked takes its PASIDs along. */
    before = after;
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc - before.atc, 2);
    assert_int_equal(after.atc_pasid - before.atc_pasid, 1);
    assert_int_equal(pasid_attach(&world, NEAR, NULL), SLUICE_OK);
    assert_int_equal(world_stats(&world).atc_pasid - after.atc_pasid, 1);
    assert_true(list_empty(&smmu3_of(world.unit)->users.list));
    world_finish(&world);
}

/* Device TLBs of nested streams: told of what the guest changes, and the library below it. */
static void nested_device_tlb(void **state)
{
    const struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_TAG, .tag = 3};
    const struct sluice_nested_info info = {
        .format = SLUICE_NESTED_SMMU_V3,
        .smmu3 = {.contexts = WORLD_IOVA, .contexts_lg2 = 2, .without_substream = 2}};
    struct world_config config = with_pasids(8);
    struct smmu3_model_stats before, after;
    struct unit_invalidation list = {.nested = &item, .nested_count = 1};
    struct unit_ticket ticket;
    struct domain_link nested;
    struct world world;

    (void)state;
    config.format = &pt_format_arm_stage2_4k;
    config.model.ats = config.ats = true;
    world_begin(&world, &config);
    nested = (struct domain_link){.unit = world.unit,
                                  .pt = &world.domains[0].pt,
                                  .parent = &world.domains[0].link,
                                  .nested = &info};
    atomic_store(&world.domains[0].link.children, 1);
    atomic_store(&world.domains[0].link.ats_sources, 1);
    assert_int_equal(world.unit->ops->link_open(world.unit, &nested), SLUICE_OK);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &world.sources[0], SLUICE_NO_PASID, &nested),
        SLUICE_OK);
    world.sources[0].link = &nested;
    before = world_stats(&world);
    list.link = &nested;
    assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &list, &ticket), SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &ticket), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc - before.atc, 2);
    assert_int_equal(after.atc_pasid - before.atc_pasid, 1);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_stats(&world).atc - after.atc, 2);
    assert_int_equal(world_stats(&world).tlbi_stage1 - after.tlbi_stage1, 1);
    /* PASIDs are the guest's there. */
    assert_int_equal(pasid_attach(&world, NEAR, &world.domains[1]), SLUICE_ERR_UNSUPPORTED);
    atomic_store(&world.domains[1].link.ats_sources, 0);
    assert_int_equal(world.unit->ops->attach(world.unit, &world.sources[0], SLUICE_NO_PASID, NULL),
                     SLUICE_OK);
    world.sources[0].link = NULL;
    assert_int_equal(world.unit->ops->link_close(world.unit, &nested), SLUICE_OK);
    assert_true(list_empty(&smmu3_of(world.unit)->users.list));
    world_finish(&world);
}

/* Access flags are set in advance; a page that has none faults, or is written by the unit. */
static void access_flags(void **state)
{
    for (unsigned httu = 0; httu <= 2; httu++) {
        struct world_config config = world_defaults();
        struct world world;
        uint64_t *table;

        (void)state;
        config.model.httu = httu;
        world_begin(&world, &config);
        assert_int_equal(world_stats(&world).accessed, 0);
        table = world.domains[0].pt.root;
        for (unsigned level = world.domains[0].pt.config.levels - 1; level > 0; level--)
            table = host_phys_to_virt(&world.sluice, table[WORLD_IOVA >> (12 + 9 * level) & 511] &
                                                         0x0000fffffffff000ull);
        assert_true((table[WORLD_IOVA >> 12 & 511] & 1u << 10) != 0);
        table[WORLD_IOVA >> 12 & 511] &= ~(uint64_t)(1u << 10);
        smmu3_model_evict(world.model);
        assert_int_equal(world_reaches(&world, 0), httu == 0 ? -1 : 0);
        assert_int_equal(world_stats(&world).accessed, httu == 0 ? 0 : 1);
        assert_int_equal((table[WORLD_IOVA >> 12 & 511] >> 10 & 1), httu == 0 ? 0 : 1);
        world_finish(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_one_page),
        cmocka_unit_test(shape_leaves_4k),
        cmocka_unit_test(shape_leaves_4k_most),
        cmocka_unit_test(shape_leaves_64k),
        cmocka_unit_test(shape_all_pasids),
        cmocka_unit_test(shape_linear),
        cmocka_unit_test(shape_few),
        cmocka_unit_test(shape_no_snoop),
        cmocka_unit_test(shape_httu),
        cmocka_unit_test(shape_k64),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(shape_stalls),
        cmocka_unit_test(shape_one_stage),
        cmocka_unit_test(before_start),
        cmocka_unit_test(beside_pass_through),
        cmocka_unit_test(faults),
        cmocka_unit_test(refusals),
        cmocka_unit_test(allocations),
        cmocka_unit_test(lost),
        cmocka_unit_test(device_tlb),
        cmocka_unit_test(nested_device_tlb),
        cmocka_unit_test(access_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
