// SPDX-License-Identifier: MIT
#include "amdvi_world.h"

struct world_config world_defaults(void)
{
    return (struct world_config){.model = amdvi_model_defaults(), .virt_bits = 48};
}

static void destroy(void *model)
{
    amdvi_model_destroy(model);
}

static void check_settled(void *model)
{
    amdvi_model_check_settled(model);
}

static bool translating(void *model)
{
    return amdvi_model_translating(model);
}

static void power_off(void *model)
{
    amdvi_model_reset(model, true);
}

static const struct world_kind kind = {
    .unit_ops = &amdvi_unit_ops,
    .model_ops = &amdvi_model_ops,
    .destroy = destroy,
    .check_settled = check_settled,
    .translating = translating,
    .power_off = power_off,
};

void world_init(struct world *world, const struct world_config *config)
{
    const struct platform_unit desc = {
        .kind = SLUICE_UNIT_AMD_VI,
        .base = config->model.base,
        .register_bytes = config->model.register_bytes,
        .ivhd =
            {
                .type = config->old_table ? 0x10 : 0x11,
                .flags = config->model.device_tlb ? PLATFORM_IVHD_IOTLB : 0,
                .rid = config->model.rid,
                .capability = 0x40,
                .virt_bits = config->virt_bits,
                .has_efr = !config->old_table,
                .efr = config->model.has_efr ? amdvi_model_efr(&config->model) : 0,
            },
    };

    world_create(world, &kind, &config->host);
    world->sluice.platform.host_address_bits = config->model.phys_bits;
    world_connect(world, amdvi_model_create(world->host, &config->model), &desc, config->ats);
}

void world_inject(struct world *world, struct amdvi_model_injection injection)
{
    amdvi_model_inject(world->model, &injection);
}

struct amdvi_model_stats world_stats(struct world *world)
{
    struct amdvi_model_stats stats;

    amdvi_model_stats(world->model, &stats);
    return stats;
}
