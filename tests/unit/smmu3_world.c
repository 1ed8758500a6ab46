// SPDX-License-Identifier: MIT
#include "smmu3_world.h"

struct world_config world_defaults(void)
{
    return (struct world_config){.model = smmu3_model_defaults()};
}

static void destroy(void *model)
{
    smmu3_model_destroy(model);
}

static bool translating(void *model)
{
    return smmu3_model_translating(model);
}

static void power_off(void *model)
{
    smmu3_model_reset(model);
}

static const struct world_kind kind = {
    .unit_ops = &smmu3_unit_ops,
    .model_ops = &smmu3_model_ops,
    .destroy = destroy,
    .translating = translating,
    .power_off = power_off,
    .page_order = WORLD_PAGE_ORDER,
};

void world_init(struct world *world, const struct world_config *config)
{
    const struct platform_unit desc = {
        .kind = SLUICE_UNIT_SMMU_V3, .base = config->model.base, .register_bytes = 0x20000};

    world_create(world, &kind, &config->host);
    world->format = config->format;
    world->iova_bits = config->iova_bits;
    world_connect(world, smmu3_model_create(world->host, &config->model), &desc, config->ats);
}

void world_inject(struct world *world, struct smmu3_model_injection injection)
{
    smmu3_model_inject(world->model, &injection);
}

struct smmu3_model_stats world_stats(struct world *world)
{
    struct smmu3_model_stats stats;

    smmu3_model_stats(world->model, &stats);
    return stats;
}
