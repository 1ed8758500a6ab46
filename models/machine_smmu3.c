// SPDX-License-Identifier: MIT
/*
 * The simulated machine with an SMMUv3: an IORT with the unit, one root complex, and reserved
 * memory by stream ID [IORT 3.1].
 */
#include "models/machine.h"
#include "models/smmu3.h"

#define NODE_ROOT_COMPLEX 2u
#define NODE_SMMU_V3      4u
#define NODE_RMR          6u
#define SMMU_OFFSET       48u /* the first node */
#define FIRST_SID         0x1000u
#define LAST_RID          0xefffu

static void put_node(struct machine *machine, size_t *at, unsigned type, unsigned bytes,
                     unsigned mappings)
{
    machine_put(machine, at, type, 1);
    machine_put(machine, at, bytes + 20 * mappings, 2);
    machine_put(machine, at, type == NODE_SMMU_V3 ? 4 : 3, 1);
    machine_put(machine, at, 0, 4); /* identifier */
    machine_put(machine, at, mappings, 4);
    machine_put(machine, at, mappings != 0 ? bytes : 0, 4);
}

static void put_mapping(struct machine *machine, size_t *at, uint32_t input, uint32_t more,
                        uint32_t output)
{
    machine_put(machine, at, input, 4);
    machine_put(machine, at, more, 4);
    machine_put(machine, at, output, 4);
    machine_put(machine, at, SMMU_OFFSET, 4);
    machine_put(machine, at, 0, 4);
}

static void put_smmu(struct machine *machine, size_t *at, const struct smmu3_model_config *config)
{
    put_node(machine, at, NODE_SMMU_V3, 68, 0);
    machine_put(machine, at, config->base, 8);
    machine_put(machine, at, 0, 8); /* flags */
    machine_put(machine, at, 0, 8); /* VATOS */
    machine_put(machine, at, 0, 4); /* model: generic */
    for (unsigned i = 0; i < 4; i++)
        machine_put(machine, at, 0, 4); /* no wires */
    machine_put(machine, at, 0, 8);     /* proximity, ID mapping index */
}

static void put_root_complex(struct machine *machine, size_t *at)
{
    bool ats = false;

    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++)
        ats = ats || machine->config.functions[i].ats;
    put_node(machine, at, NODE_ROOT_COMPLEX, 36, 1);
    machine_put(machine, at, 1, 8); /* coherent */
    machine_put(machine, at, ats, 4);
    machine_put(machine, at, 0, 4); /* segment */
    machine_put(machine, at, 0, 4); /* address bits: no limit */
    put_mapping(machine, at, 0, LAST_RID, FIRST_SID);
}

static void put_region(struct machine *machine, size_t *at, const struct machine_region *region)
{
    uint32_t more = region->last_rid != 0 ? (uint32_t)(region->last_rid - region->rid) : 0;

    put_node(machine, at, NODE_RMR, 48, 1);
    machine_put(machine, at, 0, 4);
    machine_put(machine, at, 1, 4);
    machine_put(machine, at, 28, 4);
    machine_put(machine, at, region->base, 8);
    machine_put(machine, at, region->last - region->base + 1, 8);
    machine_put(machine, at, 0, 4);
    put_mapping(machine, at, region->rid, more, FIRST_SID + region->rid);
}

static const struct smmu3_model_config *config_of(const struct machine_config *config,
                                                  struct smmu3_model_config *defaults)
{
    *defaults = smmu3_model_defaults();
    return config->kind_config != NULL ? config->kind_config : defaults;
}

static void describe(struct machine *machine, size_t *at)
{
    struct smmu3_model_config defaults;
    unsigned count = 2;

    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && machine->config.regions[i].last != 0; i++)
        count++;
    machine_put(machine, at, count, 4);
    machine_put(machine, at, SMMU_OFFSET, 4);
    machine_put(machine, at, 0, 4);
    put_smmu(machine, at, config_of(&machine->config, &defaults));
    put_root_complex(machine, at);
    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && machine->config.regions[i].last != 0; i++)
        put_region(machine, at, &machine->config.regions[i]);
}

static void *create(struct model_host *host, const struct machine_config *config)
{
    struct smmu3_model_config defaults;

    return smmu3_model_create(host, config_of(config, &defaults));
}

static void destroy(void *unit)
{
    smmu3_model_destroy(unit);
}

static const struct machine_kind machine_smmu3 = {
    .ops = &smmu3_model_ops,
    .create = create,
    .destroy = destroy,
    .describe = describe,
    .signature = "IORT",
    .first_id = FIRST_SID,
};

struct machine_config machine_defaults_smmu3(void)
{
    struct machine_config config = machine_defaults();

    config.unit_count = 0;
    config.kind = &machine_smmu3;
    return config;
}
