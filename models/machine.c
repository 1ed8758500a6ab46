// SPDX-License-Identifier: MIT
/*
 * The simulated machine: builds host, units and functions, and writes the tables that firmware
 * would [VT-d 8.1 to 8.5; AMD 5.2; PCI Firmware 3.3, 4.1.2].
 */
#include "models/machine.h"

#include <stdlib.h>
#include <string.h>

#define DMAR_TYPE_DRHD      0u
#define DMAR_TYPE_RMRR      1u
#define DMAR_TYPE_ATSR      2u
#define SCOPE_ENDPOINT      1u
#define SCOPE_BRIDGE        2u
#define SCOPE_IOAPIC        3u
#define SCOPE_HPET          4u
#define DRHD_INCLUDE_ALL    1u
#define IVHD_TYPE           0x11u
#define IVHD_IOTLB          0x10u
#define IVHD_ALL            1u
#define IVHD_SELECT         2u
#define IVHD_ALIAS_SELECT   66u
#define IVHD_SPECIAL        72u
#define IVHD_PASSES         0x07u /* INIT, ExtInt and NMI */
#define IVHD_VARIETY_IOAPIC 1u
#define IVHD_VARIETY_HPET   2u
#define IVMD_ONE            0x21u
#define IVMD_RANGE          0x22u
#define IVMD_READ_WRITE     0x07u
#define PCI_EXTENDED_ATS    0x000fu
#define EXPRESS_ENDPOINT    0u
#define EXPRESS_ROOT_PORT   4u
#define EXPRESS_PCI_BRIDGE  7u

struct machine_config machine_defaults(void)
{
    struct machine_config config = {
        .unit_count = 1,
        .units = {vtd_model_defaults()},
        .functions =
            {
                {.used = true, .rid = SLUICE_RID(0, 3, 0)},
                {.used = true, .rid = SLUICE_RID(0, 4, 0)},
                {.used = true,
                 .kind = MACHINE_ROOT_PORT,
                 .rid = SLUICE_RID(0, 0x1c, 0),
                 .secondary = 1},
                {.used = true, .rid = SLUICE_RID(1, 0, 0)},
                {.used = true,
                 .kind = MACHINE_PCI_BRIDGE,
                 .rid = SLUICE_RID(0, 0x1e, 0),
                 .secondary = 2},
                {.used = true,
                 .kind = MACHINE_CONVENTIONAL,
                 .rid = SLUICE_RID(2, 5, 0),
                 .dma_rid = SLUICE_RID(2, 0, 0)},
            },
    };

    return config;
}

struct machine_config machine_defaults_amd(void)
{
    struct machine_config config = machine_defaults();

    config.unit_count = 0;
    config.amd = true;
    config.amd_unit = amdvi_model_defaults();
    config.amd_unit.phys_bits = 46; /* as the VT-d one */
    return config;
}

/* ---- tables ---- */

static void put(uint8_t *table, size_t *at, uint64_t value, unsigned bytes)
{
    if (*at + bytes > MACHINE_TABLE_BYTES)
        abort();
    for (unsigned i = 0; i < bytes; i++)
        table[(*at)++] = (uint8_t)(value >> (8 * i));
}

static void patch(uint8_t *table, size_t at, uint64_t value, unsigned bytes)
{
    put(table, &at, value, bytes);
}

void machine_checksum(uint8_t *table, size_t bytes)
{
    uint8_t sum = 0;

    table[9] = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)(0u - sum);
}

static void put_header(uint8_t *table, size_t *at, const char *signature)
{
    memcpy(table, signature, 4);
    *at = 4;
    put(table, at, 0, 4); /* length, patched */
    put(table, at, 1, 1);
    put(table, at, 0, 1); /* checksum */
    memcpy(table + *at, "SLUICEMODEL   ", 14);
    *at += 14;
    put(table, at, 1, 4);
    memcpy(table + *at, "MODL", 4);
    *at += 4;
    put(table, at, 1, 4);
}

static void finish(uint8_t *table, size_t bytes)
{
    patch(table, 4, bytes, 4);
    machine_checksum(table, bytes);
}

/* The bridge whose secondary bus is `bus`, or NULL on the root bus. */
static const struct machine_function *bridge_above(const struct machine_config *config, uint8_t bus)
{
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++) {
        const struct machine_function *function = &config->functions[i];

        if (function->used && function->secondary != 0 && function->secondary == bus)
            return function;
    }
    return NULL;
}

/* A device scope; its path goes from the root bus down through bridges [VT-d 8.3.1]. */
static void put_scope(uint8_t *table, size_t *at, const struct machine_config *config, uint16_t rid,
                      bool bridge)
{
    uint16_t path[8];
    unsigned depth = 0;
    const struct machine_function *above;

    path[depth++] = rid;
    while (depth < 8 && (above = bridge_above(config, SLUICE_RID_BUS(path[depth - 1]))) != NULL)
        path[depth++] = above->rid;
    put(table, at, bridge ? SCOPE_BRIDGE : SCOPE_ENDPOINT, 1);
    put(table, at, 6 + 2 * depth, 1);
    put(table, at, 0, 2);
    put(table, at, 0, 1);
    put(table, at, SLUICE_RID_BUS(path[depth - 1]), 1);
    while (depth-- != 0) {
        put(table, at, SLUICE_RID_DEVICE(path[depth]), 1);
        put(table, at, SLUICE_RID_FUNCTION(path[depth]), 1);
    }
}

/* An interrupt controller: enumerated, on a bus of its own. */
static void put_controller(uint8_t *table, size_t *at, unsigned type, unsigned id, uint16_t rid)
{
    put(table, at, type, 1);
    put(table, at, 8, 1);
    put(table, at, 0, 2);
    put(table, at, id, 1);
    put(table, at, SLUICE_RID_BUS(rid), 1);
    put(table, at, SLUICE_RID_DEVICE(rid), 1);
    put(table, at, SLUICE_RID_FUNCTION(rid), 1);
}

static bool is_bridge(const struct machine_function *function)
{
    return function->kind == MACHINE_ROOT_PORT || function->kind == MACHINE_PCI_BRIDGE;
}

static void put_drhd(struct machine *machine, size_t *at, unsigned unit)
{
    const struct machine_config *config = &machine->config;
    bool all = unit + 1 == config->unit_count && !config->scoped;
    size_t start = *at;

    put(machine->dmar, at, DMAR_TYPE_DRHD, 2);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, all ? DRHD_INCLUDE_ALL : 0, 1);
    put(machine->dmar, at, 0, 1);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, config->units[unit].base, 8);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX && !all; i++) {
        const struct machine_function *function = &config->functions[i];

        /* A bridge's scope covers what is below it. */
        if (function->used && function->unit == unit && SLUICE_RID_BUS(function->rid) == 0)
            put_scope(machine->dmar, at, config, function->rid, is_bridge(function));
    }
    if (config->interrupt_remapping && unit + 1 == config->unit_count) {
        put_controller(machine->dmar, at, SCOPE_IOAPIC, MACHINE_IOAPIC_ID, MACHINE_IOAPIC_RID);
        put_controller(machine->dmar, at, SCOPE_HPET, MACHINE_HPET_ID, MACHINE_HPET_RID);
    }
    patch(machine->dmar, start + 2, *at - start, 2);
}

static void put_rmrr(struct machine *machine, size_t *at, const struct machine_region *region)
{
    size_t start = *at;

    put(machine->dmar, at, DMAR_TYPE_RMRR, 2);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, region->base, 8);
    put(machine->dmar, at, region->last, 8);
    put_scope(machine->dmar, at, &machine->config, region->rid, false);
    patch(machine->dmar, start + 2, *at - start, 2);
}

static void build_dmar(struct machine *machine)
{
    const struct machine_config *config = &machine->config;
    bool ats = false;
    size_t at = 0;

    put_header(machine->dmar, &at, "DMAR");
    put(machine->dmar, &at, config->units[0].host_bits - 1, 1);
    put(machine->dmar, &at,
        (unsigned)config->interrupt_remapping | (unsigned)config->x2apic_opt_out << 1, 1);
    put(machine->dmar, &at, 0, 8);
    put(machine->dmar, &at, 0, 2);
    for (unsigned i = 0; i < config->unit_count; i++)
        put_drhd(machine, &at, i);
    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && config->regions[i].last != 0; i++)
        put_rmrr(machine, &at, &config->regions[i]);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++)
        ats = ats || config->functions[i].ats;
    if (ats) {
        put(machine->dmar, &at, DMAR_TYPE_ATSR, 2);
        put(machine->dmar, &at, 8, 2);
        put(machine->dmar, &at, 1, 1); /* ALL_PORTS */
        put(machine->dmar, &at, 0, 3);
    }
    machine->dmar_bytes = at;
    finish(machine->dmar, at);
}

static void put_ivhd_entries(struct machine *machine, size_t *at)
{
    bool any = false;

    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++)
        any = any || machine->config.functions[i].used;
    if (!any) /* functions come later: a test builds a topology of its own */
        put(machine->dmar, at, IVHD_ALL, 4);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++) {
        const struct machine_function *function = &machine->config.functions[i];

        if (!function->used)
            continue;
        put(machine->dmar, at, function->told ? IVHD_ALIAS_SELECT : IVHD_SELECT, 1);
        put(machine->dmar, at, function->rid, 2);
        put(machine->dmar, at, 0, 1);
        if (function->told) {
            put(machine->dmar, at, 0, 1);
            put(machine->dmar, at, function->dma_rid, 2);
            put(machine->dmar, at, 0, 1);
        }
    }
}

/* A device without a number on PCI. The IOAPIC is the one that may bring INIT, ExtInt and NMI. */
static void put_special(uint8_t *table, size_t *at, unsigned variety, unsigned handle, uint16_t rid)
{
    put(table, at, IVHD_SPECIAL, 1);
    put(table, at, 0, 2);
    put(table, at, variety == IVHD_VARIETY_IOAPIC ? IVHD_PASSES : 0, 1);
    put(table, at, handle, 1);
    put(table, at, rid, 2);
    put(table, at, variety, 1);
}

static void put_ivhd(struct machine *machine, size_t *at)
{
    const struct amdvi_model_config *unit = &machine->config.amd_unit;
    size_t start = *at;

    put(machine->dmar, at, IVHD_TYPE, 1);
    put(machine->dmar, at, unit->device_tlb ? IVHD_IOTLB : 0, 1);
    put(machine->dmar, at, 0, 2);
    put(machine->dmar, at, unit->rid, 2);
    put(machine->dmar, at, 0x40, 2); /* where the model has its capability block */
    put(machine->dmar, at, unit->base, 8);
    put(machine->dmar, at, 0, 8); /* segment, info, attributes */
    put(machine->dmar, at, unit->has_efr ? amdvi_model_efr(unit) : 0, 8);
    put(machine->dmar, at, unit->has_efr ? amdvi_model_efr2(unit) : 0, 8);
    put_ivhd_entries(machine, at);
    if (machine->config.interrupt_remapping) {
        put_special(machine->dmar, at, IVHD_VARIETY_IOAPIC, MACHINE_IOAPIC_ID, MACHINE_IOAPIC_RID);
        put_special(machine->dmar, at, IVHD_VARIETY_HPET, MACHINE_HPET_ID, MACHINE_HPET_RID);
    }
    patch(machine->dmar, start + 2, *at - start, 2);
}

static void put_ivmd(struct machine *machine, size_t *at, const struct machine_region *region)
{
    put(machine->dmar, at, region->last_rid != 0 ? IVMD_RANGE : IVMD_ONE, 1);
    put(machine->dmar, at, region->ivmd_flags != 0 ? region->ivmd_flags : IVMD_READ_WRITE, 1);
    put(machine->dmar, at, 32, 2);
    put(machine->dmar, at, region->rid, 2);
    put(machine->dmar, at, region->last_rid, 2);
    put(machine->dmar, at, 0, 8);
    put(machine->dmar, at, region->base, 8);
    put(machine->dmar, at, region->last - region->base + 1, 8);
}

static void build_ivrs(struct machine *machine)
{
    const struct machine_config *config = &machine->config;
    size_t at = 0;

    put_header(machine->dmar, &at, "IVRS");
    put(machine->dmar, &at, 48u << 15 | config->amd_unit.phys_bits << 8 | 1u, 4);
    put(machine->dmar, &at, 0, 8);
    put_ivhd(machine, &at);
    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && config->regions[i].last != 0; i++)
        put_ivmd(machine, &at, &config->regions[i]);
    machine->dmar_bytes = at;
    finish(machine->dmar, at);
}

void machine_put(struct machine *machine, size_t *at, uint64_t value, unsigned bytes)
{
    put(machine->dmar, at, value, bytes);
}

static void build_other(struct machine *machine)
{
    const struct machine_kind *kind = machine->config.kind;
    size_t at = 0;

    put_header(machine->dmar, &at, kind->signature);
    kind->describe(machine, &at);
    machine->dmar_bytes = at;
    finish(machine->dmar, at);
}

static void build_mcfg(struct machine *machine)
{
    size_t at = 0;

    put_header(machine->mcfg, &at, "MCFG");
    put(machine->mcfg, &at, 0, 8);
    put(machine->mcfg, &at, 0xe0000000u, 8);
    put(machine->mcfg, &at, 0, 2);
    put(machine->mcfg, &at, 0, 1);
    put(machine->mcfg, &at, 255, 1);
    put(machine->mcfg, &at, 0, 4);
    machine->mcfg_bytes = at;
    finish(machine->mcfg, at);
}

/* ---- life ---- */

static struct dma_device *device_behind(struct machine *machine, unsigned unit, uint16_t rid,
                                        bool ats)
{
    const struct machine_kind *kind = machine->config.kind;

    if (machine->unit != NULL)
        return dma_device_create_on(machine->host, kind->ops, machine->unit,
                                    (uint16_t)(kind->first_id + rid), ats);
    if (machine->amd != NULL)
        return dma_device_create_on(machine->host, &amdvi_model_ops, machine->amd, rid, ats);
    return dma_device_create(machine->host, machine->units[unit], rid, ats);
}

struct dma_device *machine_device(struct machine *machine, uint16_t rid)
{
    return device_behind(machine, 0, rid, false);
}

static void add_function(struct machine *machine, unsigned index)
{
    static const uint8_t express_type[] = {EXPRESS_ENDPOINT, EXPRESS_ROOT_PORT, EXPRESS_PCI_BRIDGE};
    static const uint8_t ats_body[4] = {0x20, 0, 0, 0}; /* page-aligned requests [PCIe 10.5.1] */
    const struct machine_function *from = &machine->config.functions[index];
    struct model_pci_function *function =
        model_pci_add(machine->host, 0, from->rid, 0x1234, (uint16_t)(0x1000 + index));

    machine->functions[index] = function;
    if (is_bridge(from))
        model_pci_make_bridge(function, from->secondary, from->secondary);
    if (from->kind != MACHINE_CONVENTIONAL)
        model_pci_add_express(function, express_type[from->kind]);
    if (from->ats)
        model_pci_add_extended(function, PCI_EXTENDED_ATS, ats_body, sizeof(ats_body));
    if (is_bridge(from))
        return;
    machine->devices[index] = device_behind(
        machine, from->unit, from->dma_rid != 0 ? from->dma_rid : from->rid, from->ats);
}

struct machine *machine_create(const struct machine_config *config)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    if (machine == NULL || (config->amd || config->kind != NULL) != (config->unit_count == 0) ||
        config->unit_count > MACHINE_UNITS_MAX)
        abort();
    machine->config = *config;
    machine->host = model_host_create(&config->host);
    for (unsigned i = 0; i < config->unit_count; i++)
        machine->units[i] = vtd_model_create(machine->host, &config->units[i]);
    if (config->amd)
        machine->amd = amdvi_model_create(machine->host, &config->amd_unit);
    if (config->kind != NULL)
        machine->unit = config->kind->create(machine->host, config);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++) {
        if (config->functions[i].used)
            add_function(machine, i);
    }
    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && config->regions[i].last != 0; i++)
        model_host_reserve(machine->host, config->regions[i].base,
                           config->regions[i].last + 1 - config->regions[i].base);
    if (config->kind != NULL)
        build_other(machine);
    else if (config->amd)
        build_ivrs(machine);
    else
        build_dmar(machine);
    build_mcfg(machine);
    return machine;
}

void machine_footprint(struct machine *machine, struct machine_footprint *out)
{
    out->pages = model_host_pages_in_use(machine->host);
    out->objects = model_host_objects_in_use(machine->host);
    out->mmio_maps = model_host_mmio_maps(machine->host);
    out->events = model_host_events_installed(machine->host);
}

unsigned machine_destroy(struct machine *machine)
{
    struct machine_footprint left;
    unsigned bad;

    for (unsigned i = 0; i < machine->config.unit_count; i++)
        vtd_model_check_settled(machine->units[i]);
    if (machine->amd != NULL)
        amdvi_model_check_settled(machine->amd);
    machine_footprint(machine, &left);
    bad = (unsigned)(left.pages + left.objects) + left.mmio_maps + left.events;
    bad += model_host_vmaps(machine->host);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++) {
        if (machine->devices[i] != NULL)
            dma_device_destroy(machine->devices[i]);
    }
    for (unsigned i = 0; i < machine->config.unit_count; i++)
        vtd_model_destroy(machine->units[i]);
    if (machine->amd != NULL)
        amdvi_model_destroy(machine->amd);
    if (machine->unit != NULL)
        machine->config.kind->destroy(machine->unit);
    bad += model_host_destroy(machine->host);
    free(machine);
    return bad;
}
