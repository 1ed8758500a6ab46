// SPDX-License-Identifier: MIT
/*
 * Rules for what refers to IOMMUs: maps of host bridges, devices, reserved memory.
 */
#include "add.h"
#include "lint.h"

#define REGION_HUGE_BYTES ((uint64_t)4 << 30)
#define RIDS              ((uint64_t)0x10000)

/** A reference that can be read: to a unit that is on, with an ID that its kind has. */
static void check_unit(const struct dt_lint *lint, const char *property, unsigned index,
                       uint32_t id, uint32_t more)
{
    const struct sluice_devicetree_unit *unit = &lint->tree->units[index];
    uint32_t most = UINT32_MAX;

    if (!unit->enabled)
        dt_say(lint, DT_RULE_UNIT_DISABLED, property, "the IOMMU is disabled");
    if (!unit->known)
        return;
    if (unit->kind == SLUICE_UNIT_SMMU_V2)
        most = 0xffff; /* with extended stream IDs; 15 bits without (SMMU_IDR0.EXIDS) */
    if (unit->kind == SLUICE_UNIT_RISCV)
        most = 0xffffff; /* [RISC-V IOMMU 2.1] */
    if (id > most || more > most - id)
        dt_say(lint, DT_RULE_ID_ABSURD, property, "IDs up to %#llx, and %s has up to %#x",
               (unsigned long long)id + more, sluice_unit_kind_text(unit->kind), (unsigned)most);
}

/* ---- host bridges ---- */

static bool same_functions(const struct sluice_devicetree_node *one,
                           const struct sluice_devicetree_node *two)
{
    return (two->roles & SLUICE_DEVICETREE_PCI_HOST) != 0 && one->node != two->node &&
           one->segment == two->segment && one->first_bus <= two->last_bus &&
           two->first_bus <= one->last_bus;
}

static void compare_hosts(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_node other;

    lint->tree->other.begun = false;
    lint->tree->other.hosts = 0;
    while (dt_lint_other(lint, &other)) {
        if (other.node == node->node)
            return; /* those before it only: each pair is said once */
        if (!same_functions(node, &other))
            continue;
        dt_say(lint, DT_RULE_DOMAIN_TWICE, dt_property_name(DT_PCI_DOMAIN),
               "segment %#x has buses %#x to %#x at %s too", node->segment, other.first_bus,
               other.last_bus, other.path);
        return;
    }
}

void dt_lint_host(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    if (!node->segment_given && lint->tree->hosts > 1)
        dt_say(lint, DT_RULE_DOMAIN_MISSING, dt_property_name(DT_PCI_DOMAIN),
               "%u host bridges, and this one does not say its segment", lint->tree->hosts);
    if ((node->roles & SLUICE_DEVICETREE_MAP) == 0 && lint->tree->unit_count != 0)
        dt_say(lint, DT_RULE_MAP_MISSING, dt_property_name(DT_IOMMU_MAP), "it has none");
    if (dt_dma_shifted(&lint->tree->walk))
        dt_say(lint, DT_RULE_DMA_SHIFTED, dt_property_name(DT_DMA_RANGES),
               "DMA addresses are not those above the bus");
    compare_hosts(lint, node);
}

/* ---- maps ---- */

static void check_function_ids(const struct dt_lint *lint,
                               const struct sluice_devicetree_node *node,
                               const struct sluice_devicetree_mapping *entry)
{
    const char *property = dt_property_name(DT_IOMMU_MAP);
    const uint64_t last = (uint64_t)entry->first + entry->count - 1;

    if (last >= RIDS)
        dt_say(lint, DT_RULE_MAP_PAST_END, property, "requester IDs %#x to %#llx",
               (unsigned)entry->first, (unsigned long long)last);
    if ((entry->first & ~node->map_mask) != 0)
        dt_say(lint, DT_RULE_MAP_MASKED, property, "requester ID %#x, with mask %#x",
               (unsigned)entry->first, (unsigned)node->map_mask);
    else if ((node->map_mask & UINT16_MAX) == UINT16_MAX && entry->first < RIDS &&
             (entry->first >> 8 > node->last_bus || last >> 8 < node->first_bus))
        dt_say(lint, DT_RULE_MAP_OUTSIDE_BUSES, property, "buses %#x to %#llx",
               (unsigned)entry->first >> 8, (unsigned long long)last >> 8);
}

static void check_covered_units(const struct dt_lint *lint,
                                const struct sluice_devicetree_node *node,
                                const struct sluice_devicetree_mapping *entry)
{
    for (unsigned i = 0; i < lint->tree->unit_count; i++) {
        const struct sluice_devicetree_unit *unit = &lint->tree->units[i];
        const uint32_t rid = unit->rid & node->map_mask;

        if (unit->on_pci && unit->segment == node->segment && entry->unit == i &&
            rid >= entry->first && rid - entry->first < entry->count)
            dt_say(lint, DT_RULE_MAP_COVERS_UNIT, dt_property_name(DT_IOMMU_MAP),
                   "requester ID %#x is the IOMMU's own", (unsigned)unit->rid);
    }
}

static void check_entry(const struct dt_lint *lint, const struct sluice_devicetree_node *node,
                        const struct sluice_devicetree_mapping *entry)
{
    const char *property = dt_property_name(DT_IOMMU_MAP);

    if (entry->count == 0) {
        dt_say(lint, DT_RULE_MAP_EMPTY, property, "entry %u is for 0 IDs", (unsigned)entry->index);
        return;
    }
    if (entry->count - 1 > UINT32_MAX - entry->id)
        dt_say(lint, DT_RULE_MAP_WRAPS, property, "%#x IDs from %#x on", (unsigned)entry->count,
               (unsigned)entry->id);
    else
        check_unit(lint, property, entry->unit, entry->id, entry->count - 1);
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0) {
        check_function_ids(lint, node, entry);
        check_covered_units(lint, node, entry);
    }
}

/** Against the entries before it, so that each pair is said once. */
static void compare_entry(const struct dt_lint *lint, const struct sluice_devicetree_mapping *entry)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping other;
    enum sluice_status status;

    while ((status = sluice_devicetree_mapping_next(lint->tree, &lint->tree->walk, &at, &other,
                                                    NULL)) != SLUICE_ERR_NOT_FOUND &&
           other.index < entry->index && other.index < DT_COMPARED_MAX) {
        if (status != SLUICE_OK || other.count == 0 || entry->count == 0 ||
            (uint64_t)other.first + other.count <= entry->first ||
            (uint64_t)entry->first + entry->count <= other.first)
            continue;
        dt_say(lint, DT_RULE_MAP_OVERLAP, dt_property_name(DT_IOMMU_MAP),
               "ID %#x is in entries %u and %u",
               (unsigned)(other.first > entry->first ? other.first : entry->first),
               (unsigned)other.index, (unsigned)entry->index);
        return;
    }
}

void dt_lint_map(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_error error;
    enum sluice_status status;

    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) == 0)
        dt_say(lint, DT_RULE_MAP_OUTSIDE_PCI, dt_property_name(DT_IOMMU_MAP),
               "the bus is not a PCI host bridge");
    while ((status = sluice_devicetree_mapping_next(lint->tree, &lint->tree->walk, &at, &entry,
                                                    &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            dt_say(lint, DT_RULE_REFERENCE_BROKEN, error.property, "entry %u %s",
                   (unsigned)entry.index, error.what);
            continue;
        }
        check_entry(lint, node, &entry);
        compare_entry(lint, &entry);
    }
}

/* ---- devices ---- */

static bool same_id(const struct sluice_devicetree_specifier *one,
                    const struct sluice_devicetree_specifier *two)
{
    return one->unit == two->unit && ((one->id ^ two->id) & ~(one->mask | two->mask)) == 0;
}

/** Whether a node before this one, or a specifier before this one, has the ID too. */
static bool specifier_before(struct dt_lint *lint, const struct sluice_devicetree_cursor *cursor,
                             const struct sluice_devicetree_specifier *specifier, uint32_t before)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_specifier other;

    while (sluice_devicetree_specifier_next(lint->tree, cursor, &at, &other, NULL) == SLUICE_OK &&
           other.index < before && other.index < DT_COMPARED_MAX) {
        if (same_id(&other, specifier))
            return true;
    }
    return false;
}

static void compare_devices(struct dt_lint *lint, const struct sluice_devicetree_node *node,
                            const struct sluice_devicetree_specifier *specifier)
{
    struct sluice_devicetree_node other;

    lint->tree->other.begun = false;
    lint->tree->other.hosts = 0;
    while (dt_lint_other(lint, &other) && other.node != node->node) {
        if ((other.roles & SLUICE_DEVICETREE_DEVICE) == 0 ||
            !specifier_before(lint, &lint->tree->other, specifier, UINT32_MAX))
            continue;
        dt_say(lint, DT_RULE_ID_SHARED, dt_property_name(DT_IOMMUS), "ID %#x is that of %s too",
               (unsigned)specifier->id, other.path);
        return;
    }
}

static void check_specifier(struct dt_lint *lint, const struct sluice_devicetree_node *node,
                            const struct sluice_devicetree_specifier *specifier)
{
    const char *property = dt_property_name(DT_IOMMUS);
    struct dt_ids ids;

    check_unit(lint, property, specifier->unit, specifier->id | specifier->mask, 0);
    if ((specifier->id & specifier->mask) != 0)
        dt_say(lint, DT_RULE_MASK_COVERS_ID, property, "ID %#x with mask %#x",
               (unsigned)specifier->id, (unsigned)specifier->mask);
    if (!dt_ids_first(specifier, &ids))
        dt_say(lint, DT_RULE_MASK_WIDE, property, "mask %#x means more than %u IDs",
               (unsigned)specifier->mask, (unsigned)SLUICE_DEVICE_IDS_MAX);
    if (specifier_before(lint, &lint->tree->walk, specifier, specifier->index))
        dt_say(lint, DT_RULE_SPECIFIER_TWICE, property, "ID %#x is there twice",
               (unsigned)specifier->id);
    else
        compare_devices(lint, node, specifier);
}

void dt_lint_device(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    enum sluice_status status;

    if (node->on_pci) {
        dt_say(lint, DT_RULE_SPECIFIER_ON_PCI, dt_property_name(DT_IOMMUS),
               "the node is PCI function %#x", (unsigned)node->rid);
        return;
    }
    while ((status = sluice_devicetree_specifier_next(lint->tree, &lint->tree->walk, &at,
                                                      &specifier, &error)) == SLUICE_OK)
        check_specifier(lint, node, &specifier);
    if (status == SLUICE_ERR_FIRMWARE)
        dt_say(lint, DT_RULE_REFERENCE_BROKEN, error.property, "specifier %u %s",
               (unsigned)specifier.index, error.what);
}

/* ---- reserved memory ---- */

static void check_memory(const struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    const char *property = dt_property_name(DT_REG);

    if (!node->has_memory)
        return;
    if ((node->first & (SLUICE_PAGE_BYTES - 1)) != 0 ||
        (node->last & (SLUICE_PAGE_BYTES - 1)) != SLUICE_PAGE_BYTES - 1)
        dt_say(lint, DT_RULE_REGION_UNALIGNED, property, "region %#llx-%#llx is not whole pages",
               (unsigned long long)node->first, (unsigned long long)node->last);
    if (node->last - node->first >= REGION_HUGE_BYTES)
        dt_say(lint, DT_RULE_REGION_HUGE, property, "region %#llx-%#llx is %llu MiB",
               (unsigned long long)node->first, (unsigned long long)node->last,
               (unsigned long long)(node->last - node->first) >> 20);
}

static void check_reservation(const struct dt_lint *lint, const struct sluice_devicetree_node *node,
                              const struct sluice_devicetree_reservation *reservation)
{
    const char *property = dt_property_name(DT_IOMMU_ADDRESSES);
    const struct sluice_devicetree_cursor *device = &lint->tree->device;

    if (!node->has_memory && !dt_has(&lint->tree->walk, DT_REG))
        dt_say(lint, DT_RULE_REGION_ADDRESSES, property, "addresses %#llx-%#llx of %s",
               (unsigned long long)reservation->first, (unsigned long long)reservation->last,
               reservation->path);
    else if (node->has_memory &&
             (reservation->first != node->first || reservation->last != node->last))
        dt_say(lint, DT_RULE_REGION_SHIFTED, property, "addresses %#llx-%#llx, memory %#llx-%#llx",
               (unsigned long long)reservation->first, (unsigned long long)reservation->last,
               (unsigned long long)node->first, (unsigned long long)node->last);
    if (!reservation->memory_region)
        dt_say(lint, DT_RULE_REGION_UNNAMED, property, "%s does not name it", reservation->path);
    if (!dt_has(device, DT_IOMMUS) && !(dt_is_host(device) && dt_has(device, DT_IOMMU_MAP)))
        dt_say(lint, DT_RULE_REGION_UNCOVERED, property, "%s is behind no IOMMU",
               reservation->path);
}

void dt_lint_region(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    enum sluice_status status;

    check_memory(lint, node);
    while ((status = sluice_devicetree_reservation_next(lint->tree, &lint->tree->walk, &at,
                                                        &reservation, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            check_reservation(lint, node, &reservation);
        else
            dt_say(lint, DT_RULE_REFERENCE_BROKEN, error.property, "entry %u %s",
                   (unsigned)reservation.index, error.what);
    }
}
