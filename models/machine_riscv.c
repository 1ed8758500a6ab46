// SPDX-License-Identifier: MIT
/*
 * The simulated machine with a RISC-V IOMMU: a RIMT with the unit and one root complex, whose
 * device IDs are requester IDs [RIMT 2].
 */
#include "models/machine.h"
#include "models/riscv.h"

#define NODE_IOMMU        0u
#define NODE_ROOT_COMPLEX 1u
#define IOMMU_OFFSET      48u /* the first node */
#define IOMMU_BYTES       40u
#define ROOT_BYTES        20u
#define MAPPING_BYTES     20u

static const struct riscv_model_config *config_of(const struct machine_config *config,
                                                  struct riscv_model_config *defaults)
{
    *defaults = riscv_model_defaults();
    defaults->reset_mode = 1; /* as firmware leaves it for kernels that do not know the unit */
    return config->kind_config != NULL ? config->kind_config : defaults;
}

static void put_node(struct machine *machine, size_t *at, unsigned type, unsigned bytes)
{
    machine_put(machine, at, type, 1);
    machine_put(machine, at, 1, 1); /* revision */
    machine_put(machine, at, bytes, 2);
    machine_put(machine, at, 0, 2);
    machine_put(machine, at, type, 2); /* ID */
}

static void put_unit(struct machine *machine, size_t *at, const struct riscv_model_config *config)
{
    put_node(machine, at, NODE_IOMMU, IOMMU_BYTES);
    machine_put(machine, at, 0, 8); /* hardware ID */
    machine_put(machine, at, config->pci ? 0 : config->base, 8);
    machine_put(machine, at, config->pci, 4); /* flags */
    machine_put(machine, at, 0, 4);           /* proximity */
    machine_put(machine, at, 0, 2);           /* segment */
    machine_put(machine, at, config->rid, 2);
    machine_put(machine, at, 0, 2); /* no wires */
    machine_put(machine, at, IOMMU_BYTES, 2);
}

static void put_root_complex(struct machine *machine, size_t *at)
{
    bool ats = false;

    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++)
        ats = ats || machine->config.functions[i].ats;
    put_node(machine, at, NODE_ROOT_COMPLEX, ROOT_BYTES + MAPPING_BYTES);
    machine_put(machine, at, 0, 4); /* flags */
    machine_put(machine, at, 0, 2);
    machine_put(machine, at, 0, 2); /* segment */
    machine_put(machine, at, ROOT_BYTES, 2);
    machine_put(machine, at, 1, 2); /* mappings */
    machine_put(machine, at, 0, 4);
    machine_put(machine, at, 0x10000, 4);
    machine_put(machine, at, 0, 4);
    machine_put(machine, at, IOMMU_OFFSET, 4);
    machine_put(machine, at, ats, 4);
}

static void describe(struct machine *machine, size_t *at)
{
    struct riscv_model_config defaults;

    machine_put(machine, at, 2, 4);
    machine_put(machine, at, IOMMU_OFFSET, 4);
    machine_put(machine, at, 0, 4);
    put_unit(machine, at, config_of(&machine->config, &defaults));
    put_root_complex(machine, at);
}

static void *create(struct model_host *host, const struct machine_config *config)
{
    struct riscv_model_config defaults;

    return riscv_model_create(host, config_of(config, &defaults));
}

static void destroy(void *unit)
{
    riscv_model_destroy(unit);
}

static const struct machine_kind machine_riscv = {
    .ops = &riscv_model_ops,
    .create = create,
    .destroy = destroy,
    .describe = describe,
    .signature = "RIMT",
};

struct machine_config machine_defaults_riscv(void)
{
    struct machine_config config = machine_defaults();

    config.unit_count = 0;
    config.kind = &machine_riscv;
    return config;
}
