// SPDX-License-Identifier: MIT
#include "vtd_world.h"

struct world_config world_defaults(void)
{
    return (struct world_config){.model = vtd_model_defaults()};
}

static void destroy(void *model)
{
    vtd_model_destroy(model);
}

static void check_settled(void *model)
{
    vtd_model_check_settled(model);
}

static bool translating(void *model)
{
    return vtd_model_translating(model);
}

static void power_off(void *model)
{
    vtd_model_reset(model, true);
}

static const struct world_kind kind = {
    .unit_ops = &vtd_unit_ops,
    .model_ops = &vtd_model_ops,
    .destroy = destroy,
    .check_settled = check_settled,
    .translating = translating,
    .power_off = power_off,
};

void world_init(struct world *world, const struct world_config *config)
{
    const struct platform_unit desc = {
        .kind = SLUICE_UNIT_INTEL_VTD,
        .base = config->model.base,
        .register_bytes = config->model.register_bytes,
    };

    world_create(world, &kind, &config->host);
    world->sluice.config.avoid_queues = config->avoid_queues;
    world->sluice.platform.host_address_bits = config->model.host_bits;
    world_connect(world, vtd_model_create(world->host, &config->model), &desc, config->ats);
}
