// SPDX-License-Identifier: MIT
/*
 * A devicetree into an instance, through sluice/platform.h: units first, then who is behind them,
 * and where their messages go (add_message.c), then the memory that devices use already
 * (add_region.c).
 */
#include "add.h"

void dt_report(const struct dt_adding *adding)
{
    const struct sluice_devicetree_error *error = &adding->tree->error;

    adding->summary->left_out++;
    if (adding->config->report != NULL)
        adding->config->report(adding->config->report_arg, error);
    if (adding->error != NULL)
        *adding->error = *error;
}

void dt_left_out(const struct dt_adding *adding, const char *path, enum dt_property property,
                 const char *what)
{
    (void)dt_error(&adding->tree->error, path, dt_property_name(property), what);
    dt_report(adding);
}

enum sluice_status dt_described(const struct dt_adding *adding, const char *path,
                                enum dt_property property, enum sluice_status status,
                                unsigned *count)
{
    switch (status) {
    case SLUICE_OK:
        (*count)++;
        return SLUICE_OK;
    case SLUICE_ERR_NO_MEMORY:
    case SLUICE_ERR_STATE:
        return status;
    case SLUICE_ERR_EXISTS:
        dt_left_out(adding, path, property, "was said before: the first counts");
        return SLUICE_OK;
    default:
        dt_left_out(adding, path, property, "has values that no IOMMU can have");
        return SLUICE_OK;
    }
}

bool dt_usable(const struct dt_adding *adding, const char *path, enum dt_property property,
               unsigned unit, unsigned *out)
{
    const struct sluice_devicetree_unit *from = &adding->tree->units[unit];

    *out = adding->tree->added[unit];
    if (*out != UINT_MAX)
        return true;
    dt_left_out(adding, path, property,
                !from->enabled ? "leads to an IOMMU that is disabled"
                : from->known  ? "leads to an IOMMU that was left out"
                               : "leads to an IOMMU of an unknown kind");
    return false;
}

/* ---- units ---- */

static enum sluice_status add_unit(const struct dt_adding *adding,
                                   const struct sluice_devicetree_node *node)
{
    struct sluice_unit_description unit = {
        .kind = node->unit_kind,
        .base = node->registers,
        .register_bytes = node->register_bytes,
        .on_pci = node->on_pci,
        .segment = node->segment,
        .rid = node->rid,
        .coherence = node->coherence,
    };

    if ((node->roles & SLUICE_DEVICETREE_UNIT) == 0 || !node->unit_known)
        return SLUICE_OK;
    if (adding->config->kinds != 0 && (adding->config->kinds >> node->unit_kind & 1) == 0) {
        dt_left_out(adding, node->path, DT_COMPATIBLE, "is of a kind that is not asked for");
        return SLUICE_OK;
    }
    if (node->unit == UINT_MAX) {
        dt_left_out(adding, node->path, DT_IOMMU_CELLS, "is of one IOMMU too many");
        return SLUICE_OK;
    }
    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        unit.wires[i] = node->wires[i];
    return dt_described(
        adding, node->path, DT_REG,
        sluice_describe_unit(adding->sluice, &unit, &adding->tree->added[node->unit]),
        &adding->summary->units);
}

/* ---- PCI functions ---- */

/**
 * What of an entry requester IDs can be: of 16 bits, on the host bridge's buses, and with the bits
 * that the mask leaves. False: nothing.
 */
static bool clip(const struct sluice_devicetree_node *node,
                 const struct sluice_devicetree_mapping *entry, struct sluice_pci_sources *out)
{
    const uint32_t mask = node->map_mask & UINT16_MAX;
    uint64_t first = entry->first;
    uint64_t last = (uint64_t)entry->first + entry->count; /* one past it, until below */

    if (first > UINT16_MAX)
        return false;
    last = last > UINT16_MAX ? UINT16_MAX : last - 1;
    if (mask == UINT16_MAX) {
        const uint64_t first_on_bus = (uint64_t)node->first_bus << 8;
        const uint64_t last_on_bus = (uint64_t)node->last_bus << 8 | 0xff;

        first = first < first_on_bus ? first_on_bus : first;
        last = last > last_on_bus ? last_on_bus : last;
    } else {
        /* With the mask applied, no requester ID lies between these. */
        while (first <= last && (first & ~mask) != 0)
            first++;
        while (first <= last && (last & ~mask) != 0)
            last--;
    }
    if (first > last || entry->id > UINT32_MAX - (uint32_t)(last - entry->first))
        return false;
    out->rid_ignored = (uint16_t)~mask;
    out->first_rid = (uint16_t)first;
    out->last_rid = (uint16_t)last;
    out->first_id = entry->id + (uint32_t)(first - entry->first);
    return true;
}

static enum sluice_status add_mapping(const struct dt_adding *adding,
                                      const struct sluice_devicetree_node *node,
                                      const struct sluice_devicetree_mapping *entry)
{
    struct sluice_pci_sources sources = {
        .segment = node->segment,
        .address_bits = node->address_bits,
        .coherence = node->coherence,
    };

    if (!dt_usable(adding, node->path, DT_IOMMU_MAP, entry->unit, &sources.unit))
        return SLUICE_OK;
    if (entry->count == 0)
        return SLUICE_OK; /* QEMU 10.0 has one */
    if (!clip(node, entry, &sources)) {
        dt_left_out(adding, node->path, DT_IOMMU_MAP, "has an entry for no PCI function");
        return SLUICE_OK;
    }
    return dt_described(adding, node->path, DT_IOMMU_MAP,
                        sluice_describe_pci_sources(adding->sluice, &sources),
                        &adding->summary->ranges);
}

static enum sluice_status add_map(const struct dt_adding *adding,
                                  const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping entry;
    enum sluice_status status;

    if ((node->roles & SLUICE_DEVICETREE_MAP) == 0)
        return SLUICE_OK;
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) == 0) {
        dt_left_out(adding, node->path, DT_IOMMU_MAP, "is of a bus that is not PCI");
        return SLUICE_OK;
    }
    while ((status = sluice_devicetree_mapping_next(adding->tree, &adding->tree->walk, &at, &entry,
                                                    &adding->tree->error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK) {
            status = add_mapping(adding, node, &entry);
            if (status != SLUICE_OK)
                return status;
        } else {
            dt_report(adding);
        }
    }
    return SLUICE_OK;
}

/* ---- devices outside PCI ---- */

bool dt_ids_first(const struct sluice_devicetree_specifier *specifier, struct dt_ids *out)
{
    uint32_t low = 0;
    uint32_t total = 1;

    while (low < 32 && (specifier->mask >> low & 1) != 0)
        low++;
    for (uint32_t rest = specifier->mask; rest != 0; rest &= rest - 1) {
        if (total >= SLUICE_DEVICE_IDS_MAX)
            return false;
        total *= 2;
    }
    *out = (struct dt_ids){
        .base = specifier->id & ~specifier->mask,
        .holes = specifier->mask & ~(((uint32_t)1 << low) - 1),
        .count = (uint32_t)1 << low,
    };
    out->first = out->base;
    return true;
}

bool dt_ids_next(struct dt_ids *ids)
{
    /* The next number among those that have bits in the holes only. */
    uint32_t bits = (ids->first - ids->base - ids->holes) & ids->holes;

    ids->first = ids->base + bits;
    return bits != 0;
}

static enum sluice_status add_specifier(const struct dt_adding *adding,
                                        const struct sluice_devicetree_node *node,
                                        const struct sluice_devicetree_specifier *specifier)
{
    struct sluice_device_sources sources = {
        .path = node->path,
        .registers = node->registers,
        .address_bits = node->address_bits,
        .coherence = node->coherence,
    };
    enum sluice_status status;
    unsigned described = 0;
    struct dt_ids ids;

    if (!dt_usable(adding, node->path, DT_IOMMUS, specifier->unit, &sources.unit))
        return SLUICE_OK;
    dt_device_messages(adding, specifier, &sources);
    if (!dt_ids_first(specifier, &ids)) {
        dt_left_out(adding, node->path, DT_IOMMUS, "has a mask that means more than 128 IDs");
        return SLUICE_OK;
    }
    do {
        sources.first_id = ids.first;
        sources.id_count = ids.count;
        status = dt_described(adding, node->path, DT_IOMMUS,
                              sluice_describe_device_sources(adding->sluice, &sources), &described);
        if (status != SLUICE_OK)
            return status;
    } while (dt_ids_next(&ids));
    return SLUICE_OK;
}

static enum sluice_status add_device(const struct dt_adding *adding,
                                     const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position at = {0};
    unsigned left_out = adding->summary->left_out;
    enum sluice_status status;

    if ((node->roles & SLUICE_DEVICETREE_DEVICE) == 0)
        return SLUICE_OK;
    if (node->on_pci) {
        dt_left_out(adding, node->path, DT_IOMMUS, "is of a PCI function: \"iommu-map\" counts");
        return SLUICE_OK;
    }
    while ((status = sluice_devicetree_specifier_next(adding->tree, &adding->tree->walk, &at,
                                                      &specifier, &adding->tree->error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK) {
            status = add_specifier(adding, node, &specifier);
            if (status != SLUICE_OK)
                return status;
        } else {
            dt_report(adding);
        }
    }
    if (at.index != 0 && adding->summary->left_out == left_out)
        adding->summary->devices++;
    return SLUICE_OK;
}

/* ---- the whole ---- */

static enum sluice_status add_behind(const struct dt_adding *adding,
                                     const struct sluice_devicetree_node *node)
{
    enum sluice_status status = add_map(adding, node);

    if (status == SLUICE_OK)
        status = dt_add_messages(adding, node);
    return status == SLUICE_OK ? add_device(adding, node) : status;
}

/** Every enabled node that can be read; what cannot is reported in the pass that asks for it. */
static enum sluice_status
each_node(const struct dt_adding *adding, bool tell,
          enum sluice_status (*add)(const struct dt_adding *adding,
                                    const struct sluice_devicetree_node *node))
{
    struct sluice_devicetree_cursor *at = &adding->tree->walk;
    struct sluice_devicetree_node node;
    enum sluice_status status;

    at->begun = false;
    at->hosts = 0;
    while ((status = sluice_devicetree_next(adding->tree, at, &node, &adding->tree->error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (!node.enabled)
            continue;
        if (status != SLUICE_OK) {
            if (tell)
                dt_report(adding);
            continue;
        }
        status = add(adding, &node);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

enum sluice_status sluice_add_devicetree(struct sluice *sluice, const void *fdt, size_t bytes,
                                         struct sluice_devicetree *tree,
                                         const struct sluice_devicetree_config *config,
                                         struct sluice_devicetree_summary *out,
                                         struct sluice_devicetree_error *error)
{
    static const struct sluice_devicetree_config plain = {0};
    struct sluice_devicetree_summary summary = {0};
    const struct dt_adding adding = {sluice, tree, config != NULL ? config : &plain, &summary,
                                     error};
    enum sluice_status status = sluice_devicetree_open(fdt, bytes, tree, error);

    if (status == SLUICE_OK) {
        for (unsigned i = 0; i < SLUICE_DEVICETREE_UNITS_MAX; i++)
            tree->added[i] = UINT_MAX;
        status = each_node(&adding, true, add_unit);
    }
    if (status == SLUICE_OK)
        status = each_node(&adding, false, add_behind);
    if (status == SLUICE_OK)
        status = each_node(&adding, false, dt_add_region);
    if (status == SLUICE_OK && summary.units == 0)
        status = SLUICE_ERR_NOT_FOUND;
    if (out != NULL)
        *out = summary;
    return status;
}
