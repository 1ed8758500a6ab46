// SPDX-License-Identifier: MIT
/*
 * Who cannot be kept from whom.
 *
 * A function is tied to another when its requests reach the other without passing the root
 * complex, or when the unit takes its requests for the other's [PCIe 6.12.1; PCIe-PCI Bridge 1.0,
 * 2.3]. Ties are joined into groups, so an answer is never too fine:
 *
 *   - Below a port that lacks access control everything is tied to the port: a request may turn
 *     around there. A switch port also lets it out to its neighbours, so that everything below the
 *     switch is tied, whichever port they are behind.
 *   - Of a device's functions those that lack it are tied to all: each may send to any sibling and
 *     to what is below it. A host bridge sends nothing, so it is tied to those that lack it too,
 *     and to no others (AMD puts one beside the root ports).
 *   - Below a conventional bridge, or one to PCI, everything is tied to the bridge.
 *   - Whoever uses another's requester ID is tied to it.
 *
 * Devices on a root bus are apart: between them is the root complex. On a link there is one device,
 * so all functions of its bus are that device's [PCIe 6.13].
 */
#include "group/group.h"

uint32_t group_leader(struct group_map *map, uint32_t index)
{
    struct group_function *functions = map->functions;

    while (functions[index].leader != index) {
        functions[index].leader = functions[functions[index].leader].leader;
        index = functions[index].leader;
    }
    return index;
}

/* The lower index leads. */
void group_join(struct group_map *map, uint32_t a, uint32_t b)
{
    a = group_leader(map, a);
    b = group_leader(map, b);
    if (a < b)
        map->functions[b].leader = a;
    else
        map->functions[a].leader = b;
}

static bool is_port(const struct group_function *function)
{
    return function->type == PCI_EXPRESS_ROOT_PORT || function->type == PCI_EXPRESS_DOWNSTREAM;
}

static void blame(struct group_function *function)
{
    function->causes |=
        (uint8_t)(1u << (is_port(function) ? SLUICE_GROUP_PORT : SLUICE_GROUP_FUNCTION));
}

/* ---- who is above ---- */

static void note_bridge(struct group_map *map, uint32_t index)
{
    struct group_function *bridge = &map->functions[index];
    uint32_t *slot = &map->exact[bridge->secondary];

    if (bridge->secondary == 0)
        return;
    if (*slot == GROUP_NONE) {
        *slot = index;
        return;
    }
    /* Requests to that bus may go either way. */
    bridge->causes |= 1u << SLUICE_GROUP_NUMBERING;
    bridge->other_rid = map->functions[*slot].rid;
    bridge->binds = true;
    map->functions[*slot].binds = true;
    group_join(map, index, *slot);
}

/** The innermost bridge that leads to a bus; see pci_find_parent. */
static uint32_t bridge_to(const struct group_map *map, uint8_t bus)
{
    if (map->exact[bus] != GROUP_NONE)
        return map->exact[bus];
    for (unsigned below = bus; below-- > 1;) {
        uint32_t at = map->exact[below];

        if (at != GROUP_NONE && map->functions[at].subordinate >= bus)
            return at;
    }
    return GROUP_NONE;
}

static void find_parents(struct group_map *map, uint32_t first, uint32_t end)
{
    for (unsigned bus = 0; bus < 256; bus++)
        map->exact[bus] = GROUP_NONE;
    for (uint32_t i = first; i < end; i++)
        note_bridge(map, i);
    for (uint32_t i = first; i < end; i++) {
        struct group_function *function = &map->functions[i];
        uint16_t stands_at = function->is_virtual ? function->physical : function->rid;

        function->parent = bridge_to(map, SLUICE_RID_BUS(stands_at));
    }
}

/* ---- ports and bridges ---- */

static void bind_port(struct group_map *map, uint32_t index)
{
    struct group_function *port = &map->functions[index];

    port->binds = true;
    if (port->type != PCI_EXPRESS_DOWNSTREAM || port->parent == GROUP_NONE)
        return;
    blame(port);
    map->functions[port->parent].binds = true;
}

static void bind_bridge(struct group_map *map, uint32_t index)
{
    struct group_function *bridge = &map->functions[index];

    if (!bridge->is_bridge)
        return;
    if (is_port(bridge)) {
        if (bridge->lacks != 0)
            bind_port(map, index);
    } else if (bridge->type != PCI_EXPRESS_UPSTREAM) {
        /* To conventional PCI, or a bridge of a type that bridges do not have. */
        bridge->binds = true;
    }
}

/* ---- functions of one device ---- */

static bool same_device(const struct group_map *map, const struct group_function *a,
                        const struct group_function *b)
{
    unsigned mask = 0xfff8u;

    if (a->segment != b->segment)
        return false;
    if (a->parent != GROUP_NONE && is_port(&map->functions[a->parent]))
        mask = 0xff00u;
    return ((a->rid ^ b->rid) & mask) == 0;
}

/** A function that hardware has there, neither a virtual one nor a name of ACPI's. */
static bool is_own(const struct group_function *function)
{
    return !function->is_virtual && !function->is_platform;
}

static bool sends(const struct group_function *function)
{
    return function->class_code != PCI_CLASS_HOST_BRIDGE;
}

/** Ties what lacks access control among [first, end), the functions of one device. */
static void tie_functions(struct group_map *map, uint32_t first, uint32_t end)
{
    struct group_function *functions = map->functions;
    uint32_t lacking = GROUP_NONE;
    bool all = false;

    for (uint32_t i = first; i < end; i++) {
        if (!is_own(&functions[i]) || functions[i].lacks == 0)
            continue;
        lacking = lacking == GROUP_NONE ? i : lacking;
        all = all || sends(&functions[i]);
    }
    for (uint32_t i = first; lacking != GROUP_NONE && i < end; i++) {
        if (!is_own(&functions[i]) || (functions[i].lacks == 0 && !all))
            continue;
        group_join(map, lacking, i);
        if (functions[i].lacks != 0)
            blame(&functions[i]);
        if (functions[i].is_bridge)
            functions[i].binds = true;
    }
}

static void tie_devices(struct group_map *map, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint32_t next = first + 1;
        uint32_t functions = is_own(&map->functions[first]);

        for (; next < end && same_device(map, &map->functions[first], &map->functions[next]);
             next++)
            functions += is_own(&map->functions[next]);
        if (functions > 1)
            tie_functions(map, first, next);
        first = next;
    }
}

/**
 * A virtual function is tied where its physical function is tied to a sibling that sends to all.
 * Without ACS it is apart: devices of that age have it if they need it [PCIe 6.12.1.2].
 */
static void tie_virtual(struct group_map *map, uint32_t index)
{
    struct group_function *function = &map->functions[index];
    uint32_t physical = group_find(map, function->segment, function->physical);

    if (physical == GROUP_NONE || physical == index) {
        return;
    }
    if ((map->functions[physical].causes & (1u << SLUICE_GROUP_FUNCTION)) != 0) {
        group_join(map, index, physical);
    } else if ((function->lacks & SLUICE_ACS_NONE) == 0 && function->lacks != 0) {
        group_join(map, index, physical);
        blame(function);
    }
}

/* ---- everything below ---- */

/** Says who is to blame that what is below a bridge is tied to it. */
static void blame_bridge(struct group_function *bridge)
{
    if (is_port(bridge)) {
        if (bridge->lacks != 0)
            blame(bridge);
    } else if (bridge->type != PCI_EXPRESS_UPSTREAM) {
        bridge->causes |= 1u << SLUICE_GROUP_BRIDGE;
    }
}

static void tie_to_bridges(struct group_map *map, uint32_t index)
{
    uint32_t above = map->functions[index].parent;

    /* Secondary buses have higher numbers than their bridges, so this ends. */
    for (unsigned depth = 0; depth < PCI_MAX_DEPTH && above != GROUP_NONE; depth++) {
        struct group_function *bridge = &map->functions[above];

        if (bridge->binds) {
            group_join(map, index, above);
            blame_bridge(bridge);
        }
        above = bridge->parent;
    }
}

/* ---- all of it ---- */

static void tie_segment(struct group_map *map, uint32_t first, uint32_t end)
{
    find_parents(map, first, end);
    for (uint32_t i = first; i < end; i++)
        bind_bridge(map, i);
    tie_devices(map, first, end);
    for (uint32_t i = first; i < end; i++) {
        if (map->functions[i].is_virtual)
            tie_virtual(map, i);
    }
    for (uint32_t i = first; i < end; i++) {
        tie_to_bridges(map, i);
        /* A device that ACPI names, under the ID of a function or of another such device. */
        if (i > first && map->functions[i].rid == map->functions[i - 1].rid)
            group_join(map, i, i - 1);
    }
}

/** Without configuration space any two devices may reach each other. */
static void tie_blindly(struct group_map *map, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        group_join(map, first, i);
        map->functions[i].causes = 1u << SLUICE_GROUP_UNSEEN;
    }
}

enum sluice_status group_tie(struct sluice *sluice, struct group_map *map)
{
    enum sluice_status status;
    uint32_t first = 0;

    for (uint32_t i = 0; i < map->count; i++)
        map->functions[i].leader = i;
    while (first < map->count) {
        uint32_t end = first + 1;

        while (end < map->count && map->functions[end].scope == NULL &&
               map->functions[end].segment == map->functions[first].segment)
            end++;
        if (map->functions[first].scope != NULL)
            end = map->count;
        else if (map->blind)
            tie_blindly(map, first, end);
        else
            tie_segment(map, first, end);
        first = end;
    }
    status = group_tie_aliases(sluice, map);
    group_tie_sources(map);
    return status;
}
