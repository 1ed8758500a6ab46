// SPDX-License-Identifier: MIT
/*
 * What groups say to the domain layer.
 */
#include "group/group.h"

/** Looks again when something is there that was not, or is not what it was. */
static enum sluice_status device_added(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    const struct group_map *map = sluice->groups;
    uint32_t at = map != NULL ? group_find_device(map, device) : GROUP_NONE;

    if (at != GROUP_NONE && !group_changed(sluice, &map->functions[at]))
        return SLUICE_OK;
    return group_scan(sluice);
}

const struct domain_policy group_policy = {
    .device_added = device_added,
};
