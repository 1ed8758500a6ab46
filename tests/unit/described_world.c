// SPDX-License-Identifier: MIT
#include "described_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint16_t stream_ids[DESCRIBED_STREAMS] = {DESCRIBED_SID, 0x300, 0x301};

void described_build(struct described *world, bool non_coherent)
{
    struct smmu3_model_config model = smmu3_model_defaults();

    memset(world, 0, sizeof(*world));
    model.coherent = !non_coherent;
    world->host = model_host_create(&(struct model_host_config){.non_coherent = non_coherent});
    world->model = smmu3_model_create(world->host, &model);
    for (unsigned i = 0; i < DESCRIBED_STREAMS; i++)
        world->streams[i] =
            dma_device_create_on(world->host, &smmu3_model_ops, world->model, stream_ids[i], false);
    world->page = model_host_buffer(world->host, 0, false);
    memset(world->page.virt, 0x5c, SLUICE_PAGE_BYTES);
}

void described_create(struct described *world, const struct sluice_config *config)
{
    const struct sluice_unit_description unit = {.kind = SLUICE_UNIT_SMMU_V3,
                                                 .base = smmu3_model_defaults().base};

    assert_int_equal(sluice_create(config, &world->sluice), SLUICE_OK);
    assert_int_equal(sluice_describe_unit(world->sluice, &unit, &world->unit), SLUICE_OK);
}

void described_begin_on(struct described *world, bool non_coherent)
{
    struct sluice_config config = {0};

    described_build(world, non_coherent);
    model_host_configure(world->host, &config);
    described_create(world, &config);
}

void described_begin(struct described *world)
{
    described_begin_on(world, false);
}

void described_end(struct described *world)
{
    if (sluice_unit_count(world->sluice) != 0)
        assert_int_equal(sluice_stop(world->sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world->sluice), SLUICE_OK);
    assert_int_equal(model_host_pages_in_use(world->host), 0);
    assert_int_equal(model_host_objects_in_use(world->host), 0);
    assert_int_equal(model_host_violations_print(world->host), 0);
    model_host_buffer_free(world->host, world->page, 0);
    for (unsigned i = 0; i < DESCRIBED_STREAMS; i++)
        dma_device_destroy(world->streams[i]);
    smmu3_model_destroy(world->model);
    assert_int_equal(model_host_destroy(world->host), 0);
}

bool described_reads(struct described *world, unsigned stream, sluice_iova_t iova)
{
    uint8_t byte = 0;

    return dma_device_read(world->streams[stream], iova, &byte, 1, NULL) && byte == 0x5c;
}

struct sluice_domain *described_domain(struct described *world)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_domain *domain;

    assert_int_equal(sluice_domain_create(world->sluice, &config, &domain), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, DESCRIBED_IOVA, world->page.phys, SLUICE_PAGE_BYTES,
                                       SLUICE_PROT_READ),
                     SLUICE_OK);
    return domain;
}
