// SPDX-License-Identifier: MIT
/*
 * The simulated host's PCI configuration space: functions with headers and capability lists.
 * Only what software may write is writable; a read from where nobody answers gives all ones
 * [PCIe 2.3.2].
 */
#include "models/host_internal.h"

#include <stdlib.h>
#include <string.h>

#define PCI_VENDOR         0x00u
#define PCI_DEVICE         0x02u
#define PCI_COMMAND        0x04u
#define PCI_STATUS         0x06u
#define PCI_CLASS          0x0au
#define PCI_HEADER_TYPE    0x0eu
#define PCI_PRIMARY_BUS    0x18u
#define PCI_CAPABILITIES   0x34u
#define PCI_STATUS_LIST    0x10u
#define PCI_FIRST_CAP      0x40u
#define PCI_FIRST_EXTENDED 0x100u
#define PCI_CAP_EXPRESS    0x10u
#define PCI_EXTENDED_ACS   0x0du

static void put16(uint8_t *config, unsigned offset, uint16_t value)
{
    config[offset] = (uint8_t)value;
    config[offset + 1] = (uint8_t)(value >> 8);
}

static struct model_pci_function *find(struct model_host *host, uint16_t segment, uint16_t rid)
{
    struct model_pci_function *function;

    for (function = host->functions; function != NULL; function = function->next) {
        if (function->segment == segment && function->rid == rid && !function->removed)
            return function;
    }
    return NULL;
}

struct model_pci_function *model_pci_add(struct model_host *host, uint16_t segment, uint16_t rid,
                                         uint16_t vendor, uint16_t device)
{
    struct model_pci_function *function = model_zalloc(sizeof(*function));

    if (find(host, segment, rid) != NULL)
        abort();
    function->segment = segment;
    function->rid = rid;
    function->capability_end = PCI_FIRST_CAP;
    function->extended_end = PCI_FIRST_EXTENDED;
    put16(function->config, PCI_VENDOR, vendor);
    put16(function->config, PCI_DEVICE, device);
    put16(function->config, PCI_CLASS, 0x0880);
    function->next = host->functions;
    host->functions = function;
    return function;
}

void model_pci_make_bridge(struct model_pci_function *function, uint8_t secondary,
                           uint8_t subordinate)
{
    function->config[PCI_HEADER_TYPE] = 1;
    put16(function->config, PCI_CLASS, 0x0604);
    function->config[PCI_PRIMARY_BUS] = (uint8_t)(function->rid >> 8);
    function->config[PCI_PRIMARY_BUS + 1] = secondary;
    function->config[PCI_PRIMARY_BUS + 2] = subordinate;
}

uint8_t model_pci_add_capability(struct model_pci_function *function, uint8_t id, const void *body,
                                 unsigned bytes)
{
    uint16_t at = function->capability_end;

    if (at + 2u + bytes > PCI_FIRST_EXTENDED)
        abort();
    function->config[at] = id;
    memcpy(function->config + at + 2, body, bytes);
    function->config[PCI_STATUS] |= PCI_STATUS_LIST;
    if (function->last_capability == 0)
        function->config[PCI_CAPABILITIES] = (uint8_t)at;
    else
        function->config[function->last_capability + 1u] = (uint8_t)at;
    function->last_capability = (uint8_t)at;
    function->capability_end = (uint16_t)((at + 2u + bytes + 3u) & ~3u);
    return (uint8_t)at;
}

uint8_t model_pci_add_express(struct model_pci_function *function, uint8_t type)
{
    uint8_t body[58] = {0};

    body[0] = (uint8_t)(2u | (unsigned)type << 4); /* version 2, device/port type in 7:4 */
    return model_pci_add_capability(function, PCI_CAP_EXPRESS, body, sizeof(body));
}

uint16_t model_pci_add_extended(struct model_pci_function *function, uint16_t id, const void *body,
                                unsigned bytes)
{
    uint16_t at = function->extended_end;
    uint8_t *config = function->config;

    if (at + 4u + bytes > PCI_CONFIG_BYTES)
        abort();
    put16(config, at, id);
    put16(config, at + 2u, 1); /* version 1, no next */
    memcpy(config + at + 4, body, bytes);
    if (function->last_extended != 0)
        put16(config, function->last_extended + 2u, (uint16_t)(1u | (unsigned)at << 4));
    function->last_extended = at;
    function->extended_end = (uint16_t)((at + 4u + bytes + 3u) & ~3u);
    return at;
}

uint16_t model_pci_add_acs(struct model_pci_function *function, uint16_t capability,
                           uint16_t control)
{
    const uint8_t body[] = {(uint8_t)capability, (uint8_t)(capability >> 8), (uint8_t)control,
                            (uint8_t)(control >> 8)};
    uint16_t at = model_pci_add_extended(function, PCI_EXTENDED_ACS, body, sizeof(body));

    /* What it cannot do stays off. */
    model_pci_fix_bits(function, (uint16_t)(at + 6u), (uint16_t)~capability);
    return at;
}

void model_pci_fix_bits(struct model_pci_function *function, uint16_t offset, uint16_t bits)
{
    function->fixed_at = offset;
    function->fixed_bits = bits;
}

void model_pci_make_multifunction(struct model_pci_function *function)
{
    function->config[PCI_HEADER_TYPE] |= 0x80;
}

uint8_t *model_pci_config(struct model_pci_function *function)
{
    return function->config;
}

void model_pci_remove(struct model_pci_function *function)
{
    function->removed = true;
}

void model_pci_plug(struct model_pci_function *function)
{
    function->removed = false;
}

static bool access_good(struct model_host *host, uint16_t offset, unsigned width)
{
    if ((width == 1 || width == 2 || width == 4) && offset % width == 0 &&
        offset + width <= PCI_CONFIG_BYTES)
        return true;
    model_host_violate(host, "config space: %u bytes at %#x", width, offset);
    return false;
}

uint32_t host_pci_read(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width)
{
    struct model_host *host = ctx;
    const struct model_pci_function *function;
    uint32_t value = 0;

    if (!access_good(host, offset, width))
        return UINT32_MAX;
    pthread_mutex_lock(&host->lock);
    function = find(host, segment, rid);
    for (unsigned i = 0; i < width; i++) {
        uint32_t byte = function != NULL ? function->config[offset + i] : 0xffu;

        value |= byte << (8 * i);
    }
    pthread_mutex_unlock(&host->lock);
    return value;
}

/* Identity, class and header type are read-only; the rest a test may want written. */
static bool writable(unsigned offset)
{
    return offset >= PCI_COMMAND && !(offset >= 0x08 && offset < 0x0c) &&
           offset != PCI_HEADER_TYPE && offset != PCI_CAPABILITIES;
}

/* Bits of a byte that a write does not change. */
static uint8_t fixed_bits(const struct model_pci_function *function, unsigned offset)
{
    if (function->fixed_at == 0 || offset < function->fixed_at || offset > function->fixed_at + 1u)
        return 0;
    return (uint8_t)(function->fixed_bits >> (8 * (offset - function->fixed_at)));
}

void host_pci_write(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width,
                    uint32_t value)
{
    struct model_host *host = ctx;
    struct model_pci_function *function;

    if (!access_good(host, offset, width))
        return;
    pthread_mutex_lock(&host->lock);
    function = find(host, segment, rid);
    for (unsigned i = 0; function != NULL && i < width; i++) {
        uint8_t fixed = fixed_bits(function, offset + i);

        if (writable(offset + i))
            function->config[offset + i] = (uint8_t)((function->config[offset + i] & fixed) |
                                                     (uint8_t)((value >> (8 * i)) & ~fixed));
    }
    pthread_mutex_unlock(&host->lock);
}

void host_pci_release(struct model_host *host)
{
    struct model_pci_function *function;

    while ((function = host->functions) != NULL) {
        host->functions = function->next;
        free(function);
    }
}
