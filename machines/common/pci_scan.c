// SPDX-License-Identifier: MIT
/*
 * Finds every function [PCI 3.0 6.1, PCI-to-PCI bridge 1.2 3.2]. Where firmware has numbered the
 * buses and placed the bars that is kept; where there was no firmware (windows given by the
 * architecture) both are done here, depth first, with a stack of its own instead of recursion.
 */
#include "pci_scan.h"
#include "arch.h"
#include "options.h"
#include "pci.h"
#include "print.h"

#define VENDOR         0x00u
#define COMMAND        0x04u
#define CLASS          0x08u
#define HEADER_TYPE    0x0eu
#define MULTIFUNCTION  0x80u
#define BAR0           0x10u
#define PRIMARY_BUS    0x18u
#define SECONDARY_BUS  0x19u
#define SUBORDINATE    0x1au
#define MEMORY_BASE    0x20u
#define MEMORY_LIMIT   0x22u
#define PREFETCH_BASE  0x24u
#define PREFETCH_LIMIT 0x26u
#define DEPTH_LIMIT    8u
#define BRIDGE_GRAIN   0x100000ull

/* One bus being walked. */
struct frame {
    struct pci_device *bridge; /* that leads here, NULL for the root */
    unsigned bus, devfn;
    uint64_t window_start; /* where its bars began, when placing */
};

static struct pci_device devices[PCI_DEVICES_LIMIT];
static unsigned device_count;
static unsigned last_bus;
static uint64_t next_bar, bars_end; /* the window being handed out; none when both are 0 */
static bool anew;                   /* what firmware has done is done again */

static uint64_t align_up(uint64_t value, uint64_t grain)
{
    return (value + grain - 1) & ~(grain - 1);
}

static void place_bar(const struct pci_device *device, unsigned index)
{
    struct pci_bar *bar = &devices[device - devices].bars[index];
    if (bar->is_io || bars_end == 0 || bar->phys != 0)
        return;
    uint64_t at = align_up(next_bar, bar->bytes);
    if (bar->bytes > bars_end - next_bar || at > bars_end - bar->bytes) {
        machine_print("no room for bar %u of %02x:%02x.%u\n", index, device->bus,
                      (unsigned)device->devfn >> 3, device->devfn & 7u);
        bar->bytes = 0;
        return;
    }
    bar->phys = at;
    next_bar = at + bar->bytes;
    pci_write(device, BAR0 + 4 * index, 4, (uint32_t)at);
    if (bar->is_64)
        pci_write(device, BAR0 + 4 * index + 4, 4, (uint32_t)(at >> 32));
}

/* Reads one bar with decoding off; returns how many slots it takes. */
static unsigned read_bar(struct pci_device *device, unsigned index)
{
    unsigned offset = BAR0 + 4 * index;
    uint32_t low = pci_read(device, offset, 4);
    struct pci_bar *bar = &device->bars[index];
    bar->is_io = (low & 1) != 0;
    bar->is_64 = !bar->is_io && ((low >> 1) & 3) == 2;
    uint64_t address_mask = bar->is_io ? ~3ull : ~15ull;
    uint64_t value = low, size;
    pci_write(device, offset, 4, UINT32_MAX);
    size = pci_read(device, offset, 4);
    if (bar->is_64) {
        uint32_t high = pci_read(device, offset + 4, 4);
        value |= (uint64_t)high << 32;
        pci_write(device, offset + 4, 4, UINT32_MAX);
        size |= (uint64_t)pci_read(device, offset + 4, 4) << 32;
        pci_write(device, offset + 4, 4, high);
    } else if (size != 0) {
        size |= 0xffffffff00000000ull;
    }
    pci_write(device, offset, 4, low);
    size &= address_mask;
    bar->bytes = size == 0 ? 0 : 0 - size;
    bar->phys = anew && !bar->is_io ? 0 : value & address_mask;
    return bar->is_64 ? 2 : 1;
}

static void read_bars(struct pci_device *device, unsigned count)
{
    uint32_t command = pci_read(device, COMMAND, 2);
    pci_write(device, COMMAND, 2, command & ~3u);
    for (unsigned i = 0; i < count;) {
        unsigned slots = read_bar(device, i);
        if (device->bars[i].bytes != 0)
            place_bar(device, i);
        i += slots;
    }
    pci_write(device, COMMAND, 2, command);
}

static struct pci_device *add_function(uint16_t segment, unsigned bus, unsigned devfn)
{
    uint16_t rid = (uint16_t)((bus << 8) | devfn);
    uint32_t ids = pci_config_read(segment, rid, VENDOR, 4);
    if ((ids & 0xffff) == 0xffff || device_count == PCI_DEVICES_LIMIT)
        return NULL;
    struct pci_device *device = &devices[device_count++];
    *device = (struct pci_device){
        .segment = segment,
        .bus = (uint8_t)bus,
        .devfn = (uint8_t)devfn,
        .vendor = (uint16_t)ids,
        .device = (uint16_t)(ids >> 16),
    };
    device->class_code = pci_read(device, CLASS, 4) >> 8;
    unsigned type = pci_read(device, HEADER_TYPE, 1) & 0x7f;
    device->is_bridge = type == 1;
    read_bars(device, type == 0 ? 6 : type == 1 ? 2 : 0);
    return device;
}

static void enter_bridge(struct frame *frame, struct pci_device *bridge)
{
    unsigned secondary = pci_read(bridge, SECONDARY_BUS, 1);
    if (anew || secondary <= bridge->bus) { /* or nobody has numbered it */
        secondary = last_bus + 1;
        pci_write(bridge, PRIMARY_BUS, 1, bridge->bus);
        pci_write(bridge, SECONDARY_BUS, 1, secondary);
        pci_write(bridge, SUBORDINATE, 1, 0xff);
    }
    if (secondary > last_bus)
        last_bus = secondary;
    bridge->secondary_bus = (uint8_t)secondary;
    next_bar = align_up(next_bar, BRIDGE_GRAIN);
    *frame = (struct frame){bridge, secondary, 0, next_bar};
}

static void leave_bridge(const struct frame *frame)
{
    const struct pci_device *bridge = frame->bridge;
    if (bridge == NULL)
        return;
    if (pci_read(bridge, SUBORDINATE, 1) == 0xff)
        pci_write(bridge, SUBORDINATE, 1, last_bus);
    if (bars_end != 0) {
        next_bar = align_up(next_bar, BRIDGE_GRAIN);
        bool empty = next_bar == frame->window_start;
        uint64_t first = empty ? BRIDGE_GRAIN : frame->window_start;
        uint64_t last = empty ? 0 : next_bar - 1;
        pci_write(bridge, MEMORY_BASE, 2, (uint32_t)(first >> 16) & 0xfff0);
        pci_write(bridge, MEMORY_LIMIT, 2, (uint32_t)(last >> 16) & 0xfff0);
        pci_write(bridge, PREFETCH_BASE, 2, 0xfff0); /* base above limit: closed */
        pci_write(bridge, PREFETCH_LIMIT, 2, 0);
    }
    pci_enable(bridge);
}

/* The next function number to try on this bus after `device` (NULL: there was none). */
static unsigned next_devfn(const struct pci_device *device, unsigned devfn)
{
    if ((devfn & 7) != 0)
        return devfn + 1;
    bool several = device != NULL && (pci_read(device, HEADER_TYPE, 1) & MULTIFUNCTION) != 0;
    return several ? devfn + 1 : devfn + 8;
}

void pci_init(const struct pci_ecam *ecam)
{
    struct frame stack[DEPTH_LIMIT];
    unsigned depth = 1, window_count;
    const struct arch_pci_window *windows = arch_pci_windows(&window_count);
    pci_set_ecam(ecam);
    anew = option_given("place-bars");
    for (unsigned i = 0; i < window_count && bars_end == 0; i++) {
        if (!windows[i].above_4g) {
            next_bar = windows[i].base;
            bars_end = windows[i].base + windows[i].bytes;
        }
    }
    last_bus = ecam->first_bus;
    stack[0] = (struct frame){NULL, ecam->first_bus, 0, next_bar};
    while (depth > 0) {
        struct frame *frame = &stack[depth - 1];
        if (frame->devfn > 0xff) {
            leave_bridge(frame);
            depth--;
            continue;
        }
        struct pci_device *device = add_function(ecam->segment, frame->bus, frame->devfn);
        frame->devfn = next_devfn(device, frame->devfn);
        if (device != NULL)
            device->behind = frame->bridge;
        if (device != NULL && device->is_bridge && depth < DEPTH_LIMIT && last_bus < ecam->last_bus)
            enter_bridge(&stack[depth++], device);
    }
}

unsigned pci_count(void)
{
    return device_count;
}

struct pci_device *pci_get(unsigned index)
{
    return index < device_count ? &devices[index] : NULL;
}

struct pci_device *pci_find(uint16_t vendor, uint16_t device, unsigned index)
{
    for (unsigned i = 0; i < device_count; i++) {
        if (devices[i].vendor == vendor && devices[i].device == device && index-- == 0)
            return &devices[i];
    }
    return NULL;
}

struct pci_device *pci_find_class(uint32_t class_code, unsigned index)
{
    for (unsigned i = 0; i < device_count; i++) {
        if (devices[i].class_code == class_code && index-- == 0)
            return &devices[i];
    }
    return NULL;
}
