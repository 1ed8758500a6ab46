// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crowd.h"

#define FIRST_RID SLUICE_RID(0, 8, 0)

void crowd_attach(struct world *world, struct crowd *crowd, struct domain_link *link)
{
    for (unsigned i = 0; i < CROWD_DEVICES; i++) {
        uint16_t rid = (uint16_t)(FIRST_RID + i);
        uint8_t byte;

        crowd->devices[i] =
            dma_device_create_on(world->host, world->kind->model_ops, world->model, rid, true);
        crowd->sources[i] = (struct source){.unit = world->unit, .id = rid, .ats_enabled = true};
        link->ats_sources++;
        assert_int_equal(
            world->unit->ops->attach(world->unit, &crowd->sources[i], SLUICE_NO_PASID, link),
            SLUICE_OK);
        crowd->sources[i].link = link;
        assert_true(dma_device_read(crowd->devices[i], WORLD_IOVA, &byte, 1, NULL));
        assert_true(dma_device_tlb_entries(crowd->devices[i]) > 0);
    }
}

void crowd_detach(struct world *world, struct crowd *crowd)
{
    for (unsigned i = 0; i < CROWD_DEVICES; i++) {
        struct source *source = &crowd->sources[i];

        assert_int_equal(world->unit->ops->attach(world->unit, source, SLUICE_NO_PASID, NULL),
                         SLUICE_OK);
        source->link->ats_sources--;
        dma_device_destroy(crowd->devices[i]);
    }
}

void crowd_destroy(struct crowd *crowd)
{
    for (unsigned i = 0; i < CROWD_DEVICES; i++)
        dma_device_destroy(crowd->devices[i]);
}

void scatter(struct pt_gather *gather)
{
    pt_gather_init(gather);
    for (unsigned i = 0; i < PT_GATHER_RANGES; i++) {
        const uint64_t first = WORLD_IOVA + i * (uint64_t)0x100000;
        const struct pt_range range = {
            .first = first, .last = first + SLUICE_PAGE_BYTES - 1, .page_lg2 = 12};

        pt_gather_add(gather, &range);
    }
}
