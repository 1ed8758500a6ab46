// SPDX-License-Identifier: MIT
#include <string.h>

#include "riscv_world.h"

struct world_config world_defaults(void)
{
    return (struct world_config){.model = riscv_model_defaults()};
}

static void destroy(void *model)
{
    riscv_model_destroy(model);
}

static bool translating(void *model)
{
    return riscv_model_mode(model) >= RIOMMU_DDTP_1LVL;
}

static void power_off(void *model)
{
    riscv_model_reset(model);
}

static const struct world_kind kind = {
    .unit_ops = &riommu_unit_ops,
    .model_ops = &riscv_model_ops,
    .destroy = destroy,
    .translating = translating,
    .power_off = power_off,
    .page_order = WORLD_PAGE_ORDER,
};

void world_init(struct world *world, const struct world_config *config)
{
    struct platform_unit desc = {
        .kind = SLUICE_UNIT_RISCV,
        .on_pci = config->model.pci,
        .rid = config->model.rid,
        .base = config->model.pci ? 0 : config->model.base,
        .register_bytes = 0x1000,
        .coherence = config->model.coherent ? SLUICE_COHERENCE_UNKNOWN : SLUICE_COHERENCE_NO,
    };

    world_create(world, &kind, &config->host);
    world->format = config->format;
    world->iova_bits = config->iova_bits;
    memcpy(desc.wires, config->model.wires, sizeof(desc.wires));
    world_connect(world, riscv_model_create(world->host, &config->model), &desc, config->ats);
}

void world_inject(struct world *world, struct riscv_model_injection injection)
{
    riscv_model_inject(world->model, &injection);
}

struct riscv_model_stats world_stats(struct world *world)
{
    struct riscv_model_stats stats;

    riscv_model_stats(world->model, &stats);
    return stats;
}
