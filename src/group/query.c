// SPDX-License-Identifier: MIT
/*
 * The public look at groups (sluice/group.h).
 */
#include "group/group.h"

#define OUTSIDE_PCI ((uint64_t)1 << 32)

uint64_t group_id(const struct group_map *map, uint32_t leader)
{
    const struct group_function *function = &map->functions[leader];

    if (function->scope != NULL)
        return OUTSIDE_PCI | function->ordinal;
    return (uint64_t)function->segment << 16 | function->rid;
}

/** Whether there are groups to look at; under sluice->lock. */
static bool is_open(const struct sluice *sluice)
{
    return instance_is_listed(sluice) && sluice->groups != NULL;
}

struct group_map *group_map_locked(struct sluice *sluice)
{
    return is_open(sluice) ? sluice->groups : NULL;
}

bool group_of_device_locked(struct sluice *sluice, const struct sluice_device *device,
                            uint64_t *out_id)
{
    uint32_t at = is_open(sluice) ? group_find_device(sluice->groups, device) : GROUP_NONE;

    if (at != GROUP_NONE)
        *out_id = group_id(sluice->groups, group_leader(sluice->groups, at));
    return at != GROUP_NONE;
}

void group_label(const struct group_function *function, char out[GROUP_LABEL_BYTES])
{
    const struct platform_scope *scope = function->scope;
    size_t bytes = 0;

    if (scope == NULL) {
        format_text(out, GROUP_LABEL_BYTES, LOG_RID,
                    LOG_RID_ARGS(function->segment, function->rid));
        return;
    }
    if (scope->name == NULL) {
        format_text(out, GROUP_LABEL_BYTES, "registers at %#llx",
                    (unsigned long long)scope->registers);
        return;
    }
    while (bytes < scope->name_bytes && bytes + 1 < GROUP_LABEL_BYTES) {
        out[bytes] = scope->name[bytes];
        bytes++;
    }
    out[bytes] = 0;
}

/** The leader of the group with this number, or GROUP_NONE. */
static uint32_t leader_by_id(struct sluice *sluice, uint64_t id)
{
    struct group_map *map = sluice->groups;
    uint32_t first = 0, end;

    if (!is_open(sluice))
        return GROUP_NONE;
    /* Leaders rise, and so do their groups' numbers. */
    end = map->group_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if (group_id(map, map->groups[middle]) < id)
            first = middle + 1;
        else
            end = middle;
    }
    return first < map->group_count && group_id(map, map->groups[first]) == id ? map->groups[first]
                                                                               : GROUP_NONE;
}

unsigned sluice_group_count(struct sluice *sluice)
{
    unsigned count = 0;
    sluice_irqstate_t irq;

    if (sluice == NULL)
        return 0;
    irq = sluice_spin_lock(&sluice->lock);
    if (is_open(sluice))
        count = sluice->groups->group_count;
    sluice_spin_unlock(&sluice->lock, irq);
    return count;
}

enum sluice_status sluice_group_info(struct sluice *sluice, unsigned index,
                                     struct sluice_group_info *out)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (is_open(sluice) && index < sluice->groups->group_count) {
        uint32_t at = sluice->groups->groups[index];
        const struct group_function *leader = &sluice->groups->functions[at];

        *out = (struct sluice_group_info){.id = group_id(sluice->groups, at),
                                          .members = leader->members,
                                          .devices = leader->devices,
                                          .reasons = leader->reasons};
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

/** What ACPI names by a requester ID is the device that was added under that ID too. */
static struct sluice_device *device_at(const struct group_map *map,
                                       const struct group_function *function)
{
    if (function->device == NULL && function->is_platform && function->scope == NULL)
        return map->functions[group_find(map, function->segment, function->rid)].device;
    return function->device;
}

static void fill_member(const struct group_map *map, const struct group_function *function,
                        struct sluice_group_member *out)
{
    *out = (struct sluice_group_member){.is_platform = function->is_platform,
                                        .segment = function->segment,
                                        .rid = function->rid,
                                        .is_bridge = function->is_bridge,
                                        .device = device_at(map, function)};
    if (function->scope == NULL)
        return;
    out->name = function->scope->name;
    out->name_bytes = function->scope->name_bytes;
    out->registers = function->scope->registers;
}

enum sluice_status sluice_group_member(struct sluice *sluice, uint64_t id, unsigned index,
                                       struct sluice_group_member *out)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    uint32_t leader, at = GROUP_NONE;
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    leader = leader_by_id(sluice, id);
    if (leader != GROUP_NONE)
        at = group_member_at(sluice->groups, leader, index);
    if (at != GROUP_NONE) {
        fill_member(sluice->groups, &sluice->groups->functions[at], out);
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_group_reason(struct sluice *sluice, uint64_t id, unsigned index,
                                       struct sluice_group_reason *out)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    uint32_t leader;
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    leader = leader_by_id(sluice, id);
    if (leader != GROUP_NONE && group_reason_at(sluice->groups, leader, index, out))
        status = SLUICE_OK;
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_group_of(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                   uint64_t *out_id)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    uint32_t at = GROUP_NONE;
    sluice_irqstate_t irq;

    if (sluice == NULL || out_id == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (is_open(sluice))
        at = group_find(sluice->groups, segment, rid);
    if (at != GROUP_NONE) {
        *out_id = group_id(sluice->groups, group_leader(sluice->groups, at));
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_device_group(struct sluice_device *device, uint64_t *out_id)
{
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (device == NULL || out_id == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&device->sluice->lock);
    status =
        group_of_device_locked(device->sluice, device, out_id) ? SLUICE_OK : SLUICE_ERR_NOT_FOUND;
    sluice_spin_unlock(&device->sluice->lock, irq);
    return status;
}

enum sluice_status sluice_group_rescan(struct sluice *sluice)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = group_scan(sluice);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
