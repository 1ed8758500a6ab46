// SPDX-License-Identifier: MIT
/*
 * Nested links in the RISC-V IOMMU's driver: device TLBs, which no public function turns on yet,
 * and a command queue that fails at any command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"

#define PSCID 3u

/* Tables at WORLD_IOVA, as the guest has it. */
static const struct sluice_nested_info one_stage = {
    .format = SLUICE_NESTED_RISCV,
    .riscv = {.first_stage = 8ull << 60 | WORLD_IOVA >> 12, .tag = PSCID}};
static const struct sluice_nested_info directory = {
    .format = SLUICE_NESTED_RISCV,
    .riscv = {.first_stage = 1ull << 60 | WORLD_IOVA >> 12, .processes = true}};

static struct domain_link nested_on(struct world *world, const struct sluice_nested_info *info)
{
    struct domain_link link = {.unit = world->unit,
                               .pt = &world->domains[0].pt,
                               .parent = &world->domains[0].link,
                               .nested = info};

    atomic_store(&world->domains[0].link.children, 1);
    assert_int_equal(world->unit->ops->link_open(world->unit, &link), SLUICE_OK);
    return link;
}

/* As the domain layer keeps the source. */
static enum sluice_status move(struct world *world, struct domain_link *to)
{
    struct source *source = &world->sources[0];
    enum sluice_status status = world->unit->ops->attach(world->unit, source, SLUICE_NO_PASID, to);

    if (status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE)
        source->link = NULL;
    else if (status == SLUICE_OK)
        source->link = to;
    return status;
}

static void begin(struct world *world, struct world_config *config)
{
    config->format = &pt_format_riscv_second_stage;
    world_begin(world, config);
}

static enum sluice_status forget(struct world *world, const struct domain_link *link,
                                 const struct sluice_nested_invalidation *item)
{
    const struct unit_invalidation list = {.link = link, .nested = item, .nested_count = 1};
    struct unit_ticket ticket;
    enum sluice_status status = world->unit->ops->invalidate_submit(world->unit, &list, &ticket);

    return status != SLUICE_OK ? status : world->unit->ops->invalidate_wait(world->unit, &ticket);
}

/* Told of what the guest changes, and the library below it; not of PASIDs that are the guest's. */
static void device_tlb(void **state)
{
    const struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_TAG, .tag = PSCID};
    struct world_config config = world_defaults();
    struct riscv_model_stats before, after;
    struct domain_link nested, processes;
    struct world world;

    (void)state;
    config.model.ats = config.ats = true;
    begin(&world, &config);
    nested = nested_on(&world, &one_stage);
    processes = nested_on(&world, &directory);
    assert_int_equal(move(&world, &processes), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world_reaches(&world, 0), 0); /* where it was */
    assert_int_equal(move(&world, &nested), SLUICE_OK);
    before = world_stats(&world);
    assert_int_equal(forget(&world, &nested, &item), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.atc - before.atc, 1);
    assert_int_equal(after.inval_guest - before.inval_guest, 1);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_stats(&world).atc - after.atc, 1);
    assert_int_equal(world_stats(&world).inval_ddt - after.inval_ddt, 1);
    after = world_stats(&world);
    assert_int_equal(move(&world, NULL), SLUICE_OK);
    assert_int_equal(world_stats(&world).atc - after.atc, 1);
    assert_int_equal(world_stats(&world).inval_guest - after.inval_guest, 1); /* [6.3.1] */
    assert_int_equal(world.unit->ops->link_close(world.unit, &processes), SLUICE_OK);
    assert_int_equal(world.unit->ops->link_close(world.unit, &nested), SLUICE_OK);
    assert_true(list_empty(&riommu_of(world.unit)->users.list));
    world_finish(&world);
}

/* Any command of a move, in or out, is refused: the device is in nothing new, and comes back. Where
 * the one was refused that forgets its old context, the unit may go by that until then. */
static void refused_commands(void **state)
{
    struct world_config config = world_defaults();
    unsigned failed[2] = {0, 0};

    (void)state;
    for (uint64_t nth = 1; nth < 16; nth++) {
        for (unsigned out = 0; out < 2; out++) {
            struct domain_link nested;
            enum sluice_status status;
            struct world world;

            begin(&world, &config);
            nested = nested_on(&world, &one_stage);
            if (out != 0)
                assert_int_equal(move(&world, &nested), SLUICE_OK);
            world_inject(&world, (struct riscv_model_injection){.illegal_at = nth});
            status = move(&world, out != 0 ? &world.domains[1].link : &nested);
            world_inject(&world, (struct riscv_model_injection){.illegal_at = 0});
            if (status != SLUICE_OK) {
                failed[out]++;
                assert_int_equal(status, SLUICE_ERR_HARDWARE);
                assert_int_not_equal(world_reaches(&world, 0), 1);
                assert_true(world_degraded(&world));
                assert_int_equal(move(&world, &world.domains[1].link), SLUICE_OK);
                assert_int_equal(world_reaches(&world, 0), 1);
            }
            assert_int_equal(move(&world, NULL), SLUICE_OK);
            assert_int_equal(world.unit->ops->link_close(world.unit, &nested), SLUICE_OK);
            world_finish(&world);
        }
    }
    assert_true(failed[0] >= 4 && failed[0] < 15);
    assert_true(failed[1] >= 4 && failed[1] < 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_tlb),
        cmocka_unit_test(refused_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
