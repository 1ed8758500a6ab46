// SPDX-License-Identifier: MIT
/*
 * The topology as configuration space shows it [PCIe 7.5.1, 7.5.3.2], and access control turned on
 * wherever it is [PCIe 7.7.8].
 *
 * Called by src/instance at start and resume, by query.c when the host asks, and by policy.c when
 * a device is added that was not there.
 */
#include "core/sort.h"
#include "group/group.h"

struct scan {
    struct sluice *sluice;
    struct group_map *map; /**< NULL: only counting */
    uint32_t count;
    uint32_t named; /**< devices outside PCI that were put into the map */
};

static bool is_before(const struct group_function *a, const struct group_function *b)
{
    if ((a->scope != NULL) != (b->scope != NULL))
        return a->scope == NULL;
    if (a->scope != NULL)
        return a->ordinal < b->ordinal;
    if (a->segment != b->segment)
        return a->segment < b->segment;
    if (a->rid != b->rid)
        return a->rid < b->rid;
    return !a->is_platform && b->is_platform;
}

static void read_bridge(struct sluice *sluice, struct group_function *function)
{
    uint16_t segment = function->segment;
    uint16_t rid = function->rid;
    uint8_t secondary = (uint8_t)pci_read(sluice, segment, rid, PCI_SECONDARY_BUS, 1);

    function->is_bridge = true;
    function->passage = pci_bridge_passage(sluice, segment, rid);
    /* Not numbered yet, or leading back up: nothing is below it. */
    if (secondary <= SLUICE_RID_BUS(rid))
        return;
    function->secondary = secondary;
    function->subordinate = (uint8_t)pci_read(sluice, segment, rid, PCI_SUBORDINATE_BUS, 1);
}

/** Under which ID its unit sees it, where that is no requester ID. */
static void read_source(struct sluice *sluice, struct group_function *function)
{
    const struct platform_unit *unit = pci_find_unit(sluice, function->segment, function->rid);

    if (unit == NULL || !unit->maps_ids ||
        pci_find_source(sluice, unit, function->segment, function->rid, &function->first_id) ==
            NULL)
        return;
    function->unit = unit;
    function->id_count = 1;
}

/** Whether it isolates although its configuration space does not say so. */
static bool isolates_anyway(struct sluice *sluice, const struct group_function *function)
{
    uint16_t segment = function->segment;
    uint16_t rid = function->rid;
    const struct platform_unit *unit;

    if (function->type == PCI_EXPRESS_ROOT_PORT || function->type == PCI_EXPRESS_DOWNSTREAM)
        return pci_quirk_find(sluice, segment, rid, PCI_QUIRK_ISOLATED_PORT) != NULL ||
               (function->type == PCI_EXPRESS_ROOT_PORT &&
                pci_chipset_isolates(sluice, segment, rid));
    if (function->type == PCI_EXPRESS_INTEGRATED &&
        pci_quirk_find(sluice, segment, rid, PCI_QUIRK_ISOLATED_INTEGRATED) != NULL)
        return true;
    if (pci_quirk_find(sluice, segment, rid, PCI_QUIRK_ISOLATED_FUNCTIONS) != NULL)
        return true;
    if (pci_quirk_find(sluice, segment, rid, PCI_QUIRK_ISOLATED_UNDER_AMD) == NULL)
        return false;
    unit = pci_find_unit(sluice, segment, rid);
    return unit != NULL && unit->kind == SLUICE_UNIT_AMD_VI;
}

static void read_access_control(struct sluice *sluice, struct group_function *function)
{
    struct pci_acs acs;

    pci_acs_read(sluice, function->segment, function->rid, &acs);
    if (!sluice->config.keep_acs)
        function->refused =
            !pci_acs_enable(sluice, function->segment, function->rid,
                            pci_is_external(sluice, function->segment, function->rid), &acs);
    function->lacks = pci_acs_lacks(function->type, &acs);
    if (function->lacks != 0 && !acs.present && isolates_anyway(sluice, function))
        function->lacks = 0;
    if (function->refused)
        log_warning(sluice, LOG_RID ": access control was turned on and reads back as %#x of %#x",
                    LOG_RID_ARGS(function->segment, function->rid), (unsigned)acs.control,
                    (unsigned)acs.capability);
}

static void read_function(struct sluice *sluice, struct group_function *function)
{
    uint16_t segment = function->segment;
    uint16_t rid = function->rid;

    function->identity = pci_read(sluice, segment, rid, PCI_VENDOR_ID, 4);
    function->class_code = (uint16_t)pci_read(sluice, segment, rid, PCI_CLASS, 2);
    function->type = pci_express_type(sluice, segment, rid);
    if (pci_is_bridge(sluice, segment, rid))
        read_bridge(sluice, function);
    read_source(sluice, function);
    read_access_control(sluice, function);
}

static struct group_function *next_function(struct scan *scan, uint16_t segment, uint16_t rid)
{
    struct group_function *function;

    if (scan->map == NULL) {
        scan->count++;
        return NULL;
    }
    /* What came after the counting waits for the next look. */
    if (scan->map->count == scan->map->capacity)
        return NULL;
    function = &scan->map->functions[scan->map->count++];
    *function = (struct group_function){
        .segment = segment, .rid = rid, .type = PCI_EXPRESS_NONE, .parent = GROUP_NONE};
    return function;
}

static bool visit_function(void *arg, uint16_t segment, uint16_t rid)
{
    struct scan *scan = arg;
    struct group_function *function = next_function(scan, segment, rid);

    if (function != NULL)
        read_function(scan->sluice, function);
    return scan->map == NULL || scan->map->count < scan->map->capacity;
}

static bool has_ecam(struct sluice *sluice, uint16_t segment)
{
    list_for_each(node, &sluice->platform.ecam)
    {
        if (container_of(node, struct platform_ecam, node)->segment == segment)
            return true;
    }
    return false;
}

/** Whether a unit before this one in the list is on the same segment. */
static bool segment_is_done(struct sluice *sluice, const struct platform_unit *unit)
{
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *before = container_of(node, struct platform_unit, node);

        if (before == unit)
            return false;
        if (before->segment == unit->segment)
            return true;
    }
    return false;
}

/** Every bus that firmware tells of; without a word from it, all buses of the units' segments. */
static void visit_everything(struct scan *scan)
{
    struct sluice *sluice = scan->sluice;

    list_for_each(node, &sluice->platform.ecam)
    {
        const struct platform_ecam *ecam = container_of(node, struct platform_ecam, node);

        pci_visit_buses(sluice, ecam->segment, ecam->first_bus, ecam->last_bus, visit_function,
                        scan);
    }
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        if (!has_ecam(sluice, unit->segment) && !segment_is_done(sluice, unit))
            pci_visit_buses(sluice, unit->segment, 0, 255, visit_function, scan);
    }
}

/** The ID under which a device that DMAR or IVRS names does DMA [VT-d 8.3.1; AMD 5.2.2.1]. */
static uint16_t named_rid(const struct platform_scope *scope)
{
    if (scope->path_length == 0)
        return scope->source_rid;
    return SLUICE_RID(scope->start_bus, scope->path[0], scope->path[1]);
}

static void visit_named(struct scan *scan, const struct platform_unit *unit,
                        const struct platform_scope *scope)
{
    bool by_rid = scope->kind == PLATFORM_SCOPE_ACPI_NAME;
    struct group_function *function;

    if (!by_rid && scope->kind != PLATFORM_SCOPE_NAMED)
        return;
    function = next_function(scan, by_rid ? unit->segment : 0, by_rid ? named_rid(scope) : 0);
    if (function == NULL)
        return;
    function->is_platform = true;
    if (by_rid)
        return;
    function->scope = scope;
    function->ordinal = scan->named++;
    function->unit = unit;
    function->first_id = scope->first_id;
    function->id_count = scope->id_count;
}

static void visit_platform(struct scan *scan)
{
    list_for_each(node, &scan->sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        list_for_each(scope_node, &unit->scopes)
        {
            visit_named(scan, unit, container_of(scope_node, struct platform_scope, node));
        }
    }
}

static bool index_before(const void *arg, uint32_t a, uint32_t b)
{
    const struct group_map *map = arg;

    if (is_before(&map->functions[a], &map->functions[b]))
        return true;
    return !is_before(&map->functions[b], &map->functions[a]) && a < b;
}

static void sort_functions(struct group_map *map)
{
    struct group_function *functions = map->functions;
    uint32_t *from = map->members; /* which function comes where */

    for (uint32_t i = 0; i < map->count; i++)
        from[i] = i;
    sort_indexes(from, map->count, index_before, map);
    /* Round by round, each place taking what belongs there. */
    for (uint32_t i = 0; i < map->count; i++) {
        struct group_function moved = functions[i];
        uint32_t at = i;

        while (from[at] != i) {
            uint32_t next = from[at];

            functions[at] = functions[next];
            from[at] = at;
            at = next;
        }
        functions[at] = moved;
        from[at] = at;
    }
}

/** Windows of firmware may overlap: each function counts once. */
static void drop_doubles(struct group_map *map)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < map->count; i++) {
        const struct group_function *last = kept > 0 ? &map->functions[kept - 1] : NULL;

        if (last != NULL && !is_before(last, &map->functions[i]))
            continue;
        map->functions[kept++] = map->functions[i];
    }
    map->count = kept;
}

uint32_t group_find(const struct group_map *map, uint16_t segment, uint16_t rid)
{
    const struct group_function wanted = {.segment = segment, .rid = rid};
    uint32_t first = 0;
    uint32_t end = map->count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if (is_before(&map->functions[middle], &wanted))
            first = middle + 1;
        else
            end = middle;
    }
    if (first < map->count && map->functions[first].scope == NULL &&
        map->functions[first].segment == segment && map->functions[first].rid == rid)
        return first;
    return GROUP_NONE;
}

uint32_t group_find_device(const struct group_map *map, const struct sluice_device *device)
{
    if (device->bus == SLUICE_BUS_PCI)
        return group_find(map, device->segment, device->rid);
    /* What is outside PCI stands at the end. */
    for (uint32_t i = map->count; i > 0 && map->functions[i - 1].scope != NULL; i--) {
        if (map->functions[i - 1].scope == device->scope)
            return i - 1;
    }
    return GROUP_NONE;
}

/** Devices that were added and do not answer: virtual functions, and what the host is sure of. */
static void add_unseen(struct scan *scan)
{
    uint32_t seen = scan->map != NULL ? scan->map->count : 0;

    list_for_each(node, &scan->sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);
        struct group_function *function;

        if (device->bus != SLUICE_BUS_PCI)
            continue;
        if (scan->map != NULL) {
            struct group_map *map = scan->map;
            uint32_t all = map->count;
            uint32_t at;

            map->count = seen; /* what is added here is not in order yet */
            at = group_find(map, device->segment, device->rid);
            map->count = all;
            if (at != GROUP_NONE)
                continue;
        }
        function = next_function(scan, device->segment, device->rid);
        if (function == NULL)
            continue;
        function->unseen = true;
        function->is_virtual = device->is_virtual;
        function->physical = device->physical_rid;
        read_source(scan->sluice, function);
        if (device->is_virtual) {
            function->type = pci_express_type(scan->sluice, device->segment, device->rid);
            read_access_control(scan->sluice, function);
        } else {
            function->lacks = SLUICE_ACS_NONE;
        }
    }
}

static struct group_map *map_alloc(struct sluice *sluice, uint32_t capacity)
{
    size_t bytes = sizeof(struct group_map) +
                   capacity * (sizeof(struct group_function) + 2 * sizeof(uint32_t));
    struct group_map *map = host_alloc(sluice, bytes);

    if (map == NULL)
        return NULL;
    map->bytes = bytes;
    map->capacity = capacity;
    map->groups = (uint32_t *)(void *)&map->functions[capacity];
    map->members = map->groups + capacity;
    map->blind = sluice->ops->pci_read == NULL;
    return map;
}

static void tell(struct sluice *sluice, const struct group_map *map)
{
    log_info(sluice, "%u functions in %u isolation groups", (unsigned)map->count,
             (unsigned)map->group_count);
    if (map->blind)
        log_warning(sluice, "no configuration space: nobody knows which devices reach each other");
}

enum sluice_status group_scan(struct sluice *sluice)
{
    struct scan scan = {.sluice = sluice};
    enum sluice_status status;

    visit_everything(&scan);
    visit_platform(&scan);
    add_unseen(&scan);
    scan.map = map_alloc(sluice, scan.count);
    if (scan.map == NULL)
        return SLUICE_ERR_NO_MEMORY;
    visit_everything(&scan);
    visit_platform(&scan);
    sort_functions(scan.map);
    drop_doubles(scan.map);
    add_unseen(&scan);
    sort_functions(scan.map);
    status = group_tie(sluice, scan.map);
    if (status != SLUICE_OK) {
        host_free(sluice, scan.map, scan.map->bytes);
        return status;
    }
    group_index(scan.map);
    list_for_each(node, &sluice->devices)
    {
        group_note_device(scan.map, container_of(node, struct sluice_device, node), true);
    }
    group_clear(sluice);
    sluice->groups = scan.map;
    tell(sluice, scan.map);
    return SLUICE_OK;
}

void group_restore(struct sluice *sluice)
{
    struct group_map *map = sluice->groups;

    pci_chipset_restore(sluice);
    for (uint32_t i = 0; map != NULL && i < map->count; i++) {
        struct group_function *function = &map->functions[i];
        uint16_t before = function->lacks;

        if (function->unseen || function->is_platform)
            continue;
        read_access_control(sluice, function);
        if (function->lacks != before)
            log_error(sluice, LOG_RID ": access control is not what it was before sleep (%#x, %#x)",
                      LOG_RID_ARGS(function->segment, function->rid), (unsigned)before,
                      (unsigned)function->lacks);
    }
}

void group_clear(struct sluice *sluice)
{
    struct group_map *map = sluice->groups;

    sluice->groups = NULL;
    if (map != NULL)
        host_free(sluice, map, map->bytes);
}

bool group_changed(struct sluice *sluice, const struct group_function *function)
{
    uint8_t secondary = 0;

    if (function->is_platform || function->unseen)
        return pci_present(sluice, function->segment, function->rid);
    if (pci_read(sluice, function->segment, function->rid, PCI_VENDOR_ID, 4) != function->identity)
        return true;
    if (function->is_bridge)
        secondary =
            (uint8_t)pci_read(sluice, function->segment, function->rid, PCI_SECONDARY_BUS, 1);
    return secondary > SLUICE_RID_BUS(function->rid) && secondary != function->secondary;
}
