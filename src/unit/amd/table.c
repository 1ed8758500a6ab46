// SPDX-License-Identifier: MIT
/*
 * Where the device table is [AMD 2.2.2, 3.4]: its memory, in one piece or in segments, and the
 * registers that lead the unit there.
 *
 * A requester's highest bits choose the segment, CONTROL.DEVTABSEG says how many bits. With none,
 * and in the first segment, an entry lies at the same place from the base. So a unit that is
 * running can be led from a table in one piece to segments: first to all but the first segment,
 * which it does not use yet; then they are turned on, and the lower requesters still have their
 * old entries; then to the first. And back in the other order. Each requester has its old entry or
 * its new one at every moment. Between different numbers of segments there is no such way.
 */
#include "unit/amd/amdvi.h"

/* The highest requester ID that firmware names behind this unit. */
static uint32_t highest_rid(const struct platform_unit *desc)
{
    uint32_t highest = 0;

    list_for_each(node, &desc->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);
        bool range = scope->kind == PLATFORM_SCOPE_PCI_RANGE;

        if (range && scope->last_rid > highest)
            highest = scope->last_rid;
        if ((!range || scope->aliased) && scope->source_rid > highest)
            highest = scope->source_rid;
    }
    return highest;
}

static void free_segments(struct amdvi *amdvi)
{
    for (unsigned i = 0; i < AMDVI_SEGMENTS_MAX; i++) {
        if (amdvi->table[i].virt != NULL)
            host_pages_free(amdvi->unit.sluice, amdvi->table[i], amdvi->table_order);
        amdvi->table[i].virt = NULL;
    }
}

/* So many segments of this size; nothing is held when it returns false. */
static bool allocate_segments(struct amdvi *amdvi, unsigned segments_lg2, unsigned order)
{
    amdvi->segments_lg2 = segments_lg2;
    amdvi->table_order = order;
    for (unsigned i = 0; i < 1u << segments_lg2; i++) {
        if (!host_pages_alloc(amdvi->unit.sluice, order, -1, &amdvi->table[i])) {
            amdvi->table[i].virt = NULL;
            free_segments(amdvi);
            return false;
        }
    }
    return true;
}

/* For the requesters that firmware names: the unit refuses all others [AMD 2.2.2]. */
static bool allocate_short(struct amdvi *amdvi)
{
    const struct platform_unit *desc = amdvi->unit.desc;
    uint32_t highest = highest_rid(desc);

    if (desc->covers_rest || list_empty(&desc->scopes) ||
        (amdvi->errata & AMDVI_ERRATUM_TABLE_LENGTH) != 0)
        return false;
    amdvi->segments_lg2 = 0;
    amdvi->table_order = 0;
    while (amdvi_devices(amdvi) <= highest)
        amdvi->table_order++;
    if (amdvi->table_order == AMDVI_TABLE_ORDER || !allocate_segments(amdvi, 0, amdvi->table_order))
        return false;
    log_info(amdvi->unit.sluice, "%s: memory for a device table up to requester %04x only",
             amdvi->unit.name, (unsigned)amdvi_devices(amdvi) - 1);
    return true;
}

/*
 * An entry for every requester there can be, in 2 MiB without a hole. Where the host has none, in
 * as few segments as it takes, of a unit that has them.
 */
bool amdvi_table_allocate(struct amdvi *amdvi)
{
    unsigned most = (unsigned)AMDVI_GET(EFR_DEVTBLSEG, amdvi->capability.efr);

    if (allocate_segments(amdvi, 0, AMDVI_TABLE_ORDER))
        return true;
    for (unsigned lg2 = 1; lg2 <= most; lg2++) {
        if (allocate_segments(amdvi, lg2, AMDVI_TABLE_ORDER - lg2)) {
            log_info(amdvi->unit.sluice, "%s: no 2 MiB in one piece: device table in %u segments",
                     amdvi->unit.name, 1u << lg2);
            return true;
        }
    }
    return allocate_short(amdvi);
}

void amdvi_table_give_back(struct amdvi *amdvi)
{
    for (unsigned i = 0; i < AMDVI_SEGMENTS_MAX; i++)
        amdvi_pages_give_back(amdvi, &amdvi->table[i], amdvi->table_order);
}

/* ---- registers ---- */

static uint32_t base_register(unsigned segment)
{
    return segment == 0 ? AMDVI_REG_DEVTAB : AMDVI_REG_SEGMENT1 + (segment - 1) * 8;
}

void amdvi_table_look(struct amdvi *amdvi, struct amdvi_table_registers *out)
{
    *out = (struct amdvi_table_registers){
        .segments_lg2 = (unsigned)AMDVI_GET(CONTROL_DEVTABSEG, amdvi->control)};
    /* More than the unit can have are refused by amdvi_table_set_to; the array has room for 8. */
    for (unsigned i = 0; i < AMDVI_SEGMENTS_MAX && i >> out->segments_lg2 == 0; i++)
        out->base[i] = amdvi_read(amdvi, base_register(i));
}

bool amdvi_table_is(struct amdvi *amdvi, const struct amdvi_table_registers *table)
{
    if (AMDVI_GET(CONTROL_DEVTABSEG, amdvi->control) != table->segments_lg2)
        return false;
    for (unsigned i = 0; i < AMDVI_SEGMENTS_MAX && i >> table->segments_lg2 == 0; i++) {
        if (amdvi_read(amdvi, base_register(i)) != table->base[i])
            return false;
    }
    return true;
}

/* Some units take a new table only while they are off, which would leave a gap. */
static enum sluice_status set_base(struct amdvi *amdvi, unsigned segment, uint64_t base)
{
    amdvi_write(amdvi, base_register(segment), base);
    if (amdvi_read(amdvi, base_register(segment)) == base)
        return SLUICE_OK;
    log_error(amdvi->unit.sluice, "%s: does not take a device table at %#llx, segment %u",
              amdvi->unit.name, (unsigned long long)(base & AMDVI_MASK(DEVTAB_BASE)), segment);
    return SLUICE_ERR_UNSUPPORTED;
}

static void set_segments(struct amdvi *amdvi, unsigned segments_lg2)
{
    if (AMDVI_GET(CONTROL_DEVTABSEG, amdvi->control) != segments_lg2)
        amdvi_control(amdvi, AMDVI_MASK(CONTROL_DEVTABSEG),
                      AMDVI_PREP(CONTROL_DEVTABSEG, segments_lg2));
}

enum sluice_status amdvi_table_set_to(struct amdvi *amdvi, const struct amdvi_table_registers *to)
{
    unsigned now = (unsigned)AMDVI_GET(CONTROL_DEVTABSEG, amdvi->control);
    enum sluice_status status = SLUICE_OK;

    if ((amdvi->control & AMDVI_MASK(CONTROL_EN)) != 0 && now != 0 && to->segments_lg2 != 0 &&
        now != to->segments_lg2) {
        log_error(amdvi->unit.sluice,
                  "%s: runs with a device table in %u segments, which cannot become %u without a "
                  "gap",
                  amdvi->unit.name, 1u << now, 1u << to->segments_lg2);
        return SLUICE_ERR_UNSUPPORTED;
    }
    /* The fence: entries before the unit is led to them. */
    sluice_device_fence();
    for (unsigned i = 1; i >> to->segments_lg2 == 0 && status == SLUICE_OK; i++)
        status = set_base(amdvi, i, to->base[i]);
    if (status == SLUICE_OK && to->segments_lg2 != 0)
        set_segments(amdvi, to->segments_lg2);
    if (status == SLUICE_OK)
        status = set_base(amdvi, 0, to->base[0]);
    if (status == SLUICE_OK)
        set_segments(amdvi, to->segments_lg2);
    return status;
}

enum sluice_status amdvi_table_set(struct amdvi *amdvi)
{
    struct amdvi_table_registers ours = {.segments_lg2 = amdvi->segments_lg2};

    for (unsigned i = 0; i < 1u << amdvi->segments_lg2; i++)
        ours.base[i] =
            amdvi->table[i].phys | AMDVI_PREP(DEVTAB_SIZE, (1u << amdvi->table_order) - 1);
    return amdvi_table_set_to(amdvi, &ours);
}
