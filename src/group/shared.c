// SPDX-License-Identifier: MIT
/*
 * Who is tied to others because a unit takes the one for the other: whose requests carry an ID that
 * others use as well, and whom firmware names several times.
 */
#include "core/sort.h"
#include "group/group.h"

/* ---- requester IDs ---- */

/** A requester ID that a function uses and that is not its own. */
struct alias {
    uint32_t id; /**< segment << 16 | requester ID */
    uint32_t function;
};

static bool alias_before(const void *arg, uint32_t a, uint32_t b)
{
    const struct alias *aliases = arg;

    return aliases[a].id != aliases[b].id ? aliases[a].id < aliases[b].id
                                          : aliases[a].function < aliases[b].function;
}

static const char *alias_source(struct sluice *sluice, const struct group_function *function)
{
    const struct pci_quirk *quirk =
        pci_quirk_find(sluice, function->segment, function->rid, PCI_QUIRK_REQUESTS_AS_FUNCTION);

    if (quirk == NULL)
        quirk =
            pci_quirk_find(sluice, function->segment, function->rid, PCI_QUIRK_REQUESTS_AS_DEVICE);
    return quirk != NULL ? quirk->source : NULL;
}

/** Ties a function to the owners of the IDs that it uses; returns how many those are. */
static uint32_t tie_to_owners(struct sluice *sluice, struct group_map *map, uint32_t index)
{
    struct group_function *function = &map->functions[index];
    uint16_t rids[PCI_MAX_ALIASES];
    unsigned count = pci_own_ids(sluice, function->segment, function->rid, rids);

    for (unsigned i = 1; i < count; i++) {
        uint32_t owner = group_find(map, function->segment, rids[i]);

        function->causes |= 1u << SLUICE_GROUP_ALIAS;
        function->other_rid = rids[i];
        function->source = alias_source(sluice, function);
        if (owner != GROUP_NONE)
            group_join(map, index, owner);
    }
    return count - 1;
}

static uint32_t list_aliases(struct sluice *sluice, const struct group_map *map,
                             struct alias *aliases, uint32_t capacity)
{
    uint32_t listed = 0;

    for (uint32_t index = 0; index < map->count; index++) {
        const struct group_function *function = &map->functions[index];
        uint16_t rids[PCI_MAX_ALIASES];
        unsigned count;

        if ((function->causes & (1u << SLUICE_GROUP_ALIAS)) == 0)
            continue;
        count = pci_own_ids(sluice, function->segment, function->rid, rids);
        for (unsigned i = 1; i < count && listed < capacity; i++)
            aliases[listed++] = (struct alias){(uint32_t)function->segment << 16 | rids[i], index};
    }
    return listed;
}

/** Ties those that use the same ID, whether anybody answers to it or not. */
static void tie_users(struct sluice *sluice, struct group_map *map, struct alias *aliases,
                      uint32_t *order, uint32_t capacity)
{
    uint32_t count = list_aliases(sluice, map, aliases, capacity);

    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    sort_indexes(order, count, alias_before, aliases);
    for (uint32_t i = 1; i < count; i++) {
        const struct alias *alias = &aliases[order[i]], *before = &aliases[order[i - 1]];

        if (alias->id == before->id)
            group_join(map, before->function, alias->function);
    }
}

enum sluice_status group_tie_aliases(struct sluice *sluice, struct group_map *map)
{
    uint32_t count = 0;
    struct alias *aliases;
    uint32_t *order;

    if (map->blind)
        return SLUICE_OK; /* everybody is tied already */
    for (uint32_t i = 0; i < map->count; i++) {
        if (map->functions[i].scope == NULL && !map->functions[i].is_platform)
            count += tie_to_owners(sluice, map, i);
    }
    if (count == 0)
        return SLUICE_OK;
    aliases = host_alloc(sluice, count * sizeof(*aliases));
    order = host_alloc(sluice, count * sizeof(*order));
    if (aliases != NULL && order != NULL)
        tie_users(sluice, map, aliases, order, count);
    if (aliases != NULL)
        host_free(sluice, aliases, count * sizeof(*aliases));
    if (order != NULL)
        host_free(sluice, order, count * sizeof(*order));
    return aliases != NULL && order != NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
}

/* ---- names ---- */

static const struct platform_scope *scope_of(const struct group_map *map, uint32_t index)
{
    return map->functions[index].scope;
}

static bool registers_before(const void *arg, uint32_t a, uint32_t b)
{
    const struct platform_scope *left = scope_of(arg, a), *right = scope_of(arg, b);

    return left->registers != right->registers ? left->registers < right->registers : a < b;
}

static bool name_before(const void *arg, uint32_t a, uint32_t b)
{
    const struct platform_scope *left = scope_of(arg, a), *right = scope_of(arg, b);
    int order;

    if (left->name_bytes != right->name_bytes)
        return left->name_bytes < right->name_bytes;
    order = __builtin_memcmp(left->name, right->name, left->name_bytes);
    return order != 0 ? order < 0 : a < b;
}

static bool has_registers(const struct platform_scope *scope)
{
    return scope->registers != 0;
}

static bool has_name(const struct platform_scope *scope)
{
    return scope->name != NULL;
}

bool group_same_name(const struct platform_scope *a, const struct platform_scope *b)
{
    if (a->registers != 0 && a->registers == b->registers)
        return true;
    if (a->name == NULL || b->name == NULL || a->name_bytes != b->name_bytes)
        return false;
    return __builtin_memcmp(a->name, b->name, a->name_bytes) == 0;
}

/** Those that have what makes them the same come to stand beside each other. */
static void tie_same(struct group_map *map, bool (*has)(const struct platform_scope *scope),
                     sort_before *before)
{
    uint32_t *order = map->members;
    uint32_t count = 0;

    for (uint32_t i = 0; i < map->count; i++) {
        if (scope_of(map, i) != NULL && has(scope_of(map, i)))
            order[count++] = i;
    }
    sort_indexes(order, count, before, map);
    for (uint32_t i = 1; i < count; i++) {
        if (group_same_name(scope_of(map, order[i - 1]), scope_of(map, order[i])))
            group_join(map, order[i - 1], order[i]);
    }
}

/* ---- IDs that units make of them ---- */

static bool source_before(const void *arg, uint32_t a, uint32_t b)
{
    const struct group_map *map = arg;
    const struct group_function *left = &map->functions[a], *right = &map->functions[b];

    if (left->unit != right->unit)
        return (uintptr_t)left->unit < (uintptr_t)right->unit;
    return left->first_id != right->first_id ? left->first_id < right->first_id : a < b;
}

static uint64_t end_of(const struct group_function *function)
{
    return (uint64_t)function->first_id + function->id_count;
}

static void tie_sources(struct group_map *map, uint32_t a, uint32_t b)
{
    const struct platform_scope *left = scope_of(map, a), *right = scope_of(map, b);

    group_join(map, a, b);
    if (left == NULL || right == NULL || !group_same_name(left, right))
        map->functions[a < b ? b : a].causes |= 1u << SLUICE_GROUP_SHARED_ID;
}

/**
 * In the order of their first IDs, each is tied to the one that reaches farthest of those before
 * it: whichever of them it meets, that one meets both.
 */
static void tie_meeting(struct group_map *map)
{
    const struct group_function *functions = map->functions;
    uint32_t *order = map->members;
    uint32_t count = 0, far = 0;

    for (uint32_t i = 0; i < map->count; i++) {
        if (functions[i].unit != NULL)
            order[count++] = i;
    }
    sort_indexes(order, count, source_before, map);
    for (uint32_t i = 1; i < count; i++) {
        const struct group_function *farthest = &functions[order[far]],
                                    *next = &functions[order[i]];
        bool same_unit = farthest->unit == next->unit;

        if (same_unit && next->first_id < end_of(farthest))
            tie_sources(map, order[far], order[i]);
        if (!same_unit || end_of(next) > end_of(farthest))
            far = i;
    }
}

void group_tie_sources(struct group_map *map)
{
    tie_same(map, has_registers, registers_before);
    tie_same(map, has_name, name_before);
    tie_meeting(map);
}
