// SPDX-License-Identifier: MIT
/*
 * The simulated machine with a virtio-iommu: a PCI function, and the VIOT that says who is behind
 * it [ACPI 5.2.33]. VIOT has no way to reserve memory; tests describe that by hand.
 */
#include "models/machine.h"
#include "models/virtio.h"

#define NODE_PCI_RANGE 1u
#define NODE_PCI_UNIT  3u
#define NODES_AT       48u
#define LAST_RID       0xefffu

static const struct virtio_model_config *config_of(const struct machine_config *config,
                                                   struct virtio_model_config *defaults)
{
    *defaults = virtio_model_defaults();
    return config->kind_config != NULL ? config->kind_config : defaults;
}

static void describe(struct machine *machine, size_t *at)
{
    struct virtio_model_config defaults;
    const struct virtio_model_config *config = config_of(&machine->config, &defaults);

    machine_put(machine, at, 2, 2);
    machine_put(machine, at, NODES_AT, 2);
    machine_put(machine, at, 0, 8);
    machine_put(machine, at, NODE_PCI_UNIT, 2);
    machine_put(machine, at, 16, 2);
    machine_put(machine, at, 0, 2);
    machine_put(machine, at, config->rid, 2);
    machine_put(machine, at, 0, 8);
    machine_put(machine, at, NODE_PCI_RANGE, 2);
    machine_put(machine, at, 24, 2);
    machine_put(machine, at, 0, 4); /* endpoint ID of the first */
    machine_put(machine, at, 0, 4); /* segments */
    machine_put(machine, at, 0, 2);
    machine_put(machine, at, LAST_RID, 2);
    machine_put(machine, at, NODES_AT, 2);
    machine_put(machine, at, 0, 6);
}

static void *create(struct model_host *host, const struct machine_config *config)
{
    struct virtio_model_config defaults;

    return virtio_model_create(host, config_of(config, &defaults));
}

static void destroy(void *unit)
{
    virtio_model_destroy(unit);
}

static const struct machine_kind machine_virtio = {
    .ops = &virtio_model_ops,
    .create = create,
    .destroy = destroy,
    .describe = describe,
    .signature = "VIOT",
};

struct machine_config machine_defaults_virtio(void)
{
    struct machine_config config = machine_defaults();

    config.unit_count = 0;
    config.kind = &machine_virtio;
    return config;
}
