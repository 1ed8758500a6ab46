// SPDX-License-Identifier: MIT
/*
 * Groups by number and members by group, so that whoever lists them all pays for each once: who is
 * in which group does not change until the topology is looked at again.
 */
#include "group/group.h"

void group_index(struct group_map *map)
{
    struct group_function *functions = map->functions;
    uint32_t at = 0;

    map->group_count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        struct group_function *leader = &functions[group_leader(map, i)];

        leader->members++;
        leader->devices += !functions[i].is_bridge;
    }
    for (uint32_t i = 0; i < map->count; i++) {
        if (functions[i].leader != i)
            continue;
        map->groups[map->group_count++] = i;
        functions[i].first = at;
        at += functions[i].members;
        functions[i].members = 0; /* counted again as they take their places */
    }
    for (uint32_t i = 0; i < map->count; i++) {
        struct group_function *leader = &functions[group_leader(map, i)];

        map->members[leader->first + leader->members++] = i;
        leader->reasons += group_reasons_of(&functions[i]);
        functions[i].reasons_end = leader->reasons;
    }
    /* One that is alone is not kept from anybody, whatever it lacks. */
    for (uint32_t i = 0; i < map->group_count; i++) {
        if (functions[map->groups[i]].members == 1)
            functions[map->groups[i]].reasons = 0;
    }
}

uint32_t group_member_at(const struct group_map *map, uint32_t leader, unsigned index)
{
    const struct group_function *function = &map->functions[leader];

    return index < function->members ? map->members[function->first + index] : GROUP_NONE;
}

void group_note_device(struct group_map *map, struct sluice_device *device, bool is_there)
{
    uint32_t at = map != NULL ? group_find_device(map, device) : GROUP_NONE;

    if (at == GROUP_NONE)
        return;
    if (is_there)
        map->functions[at].device = device;
    else if (map->functions[at].device == device)
        map->functions[at].device = NULL;
}
