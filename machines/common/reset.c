// SPDX-License-Identifier: MIT
#include "reset.h"

#include "arch.h"
#include "edu.h"
#include "pci.h"

#define COMMAND          0x04u
#define COMMAND_MEMORY   (1u << 1)
#define COMMAND_MASTER   (1u << 2)
#define BRIDGE_CONTROL   0x3eu
#define BRIDGE_BUS_RESET (1u << 6)
#define BARS             0x10u
#define RESET_NS         2000000ull /* Trst, and more [PCI 3.0, 4.3.2] */
#define IDLE_ROUNDS      1000u
#define TRANSFER_NS      120000000ull /* what an edu takes for one, and more */

static unsigned resets;

static void wait_ns(uint64_t ns)
{
    uint64_t end = arch_now_ns() + ns;
    while (arch_now_ns() < end) {
        for (unsigned i = 0; i < IDLE_ROUNDS; i++)
            __asm__ volatile("" : "+r"(i)); /* looking at the clock is slow under emulation */
    }
}

static struct pci_device *find(uint16_t segment, uint16_t rid)
{
    for (unsigned i = 0; i < pci_count(); i++) {
        struct pci_device *device = pci_get(i);
        if (device->segment == segment && pci_rid(device) == rid)
            return device;
    }
    return NULL;
}

static void reset_bus(const struct pci_device *bridge)
{
    uint32_t control = pci_read(bridge, BRIDGE_CONTROL, 2);
    pci_write(bridge, BRIDGE_CONTROL, 2, control | BRIDGE_BUS_RESET);
    wait_ns(RESET_NS);
    pci_write(bridge, BRIDGE_CONTROL, 2, control & ~BRIDGE_BUS_RESET);
    wait_ns(RESET_NS);
}

/* What the reset took: places of its registers, and nothing else; its driver does the rest. */
static void place_again(const struct pci_device *device, const uint32_t bars[PCI_BARS])
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        pci_write(device, BARS + 4 * i, 4, bars[i]);
    pci_write(device, COMMAND, 2, COMMAND_MEMORY);
}

bool machine_device_reset(void *ctx, uint16_t segment, uint16_t rid)
{
    uint32_t bars[PCI_BARS];
    struct pci_device *device = find(segment, rid);
    (void)ctx;
    if (device == NULL ||
        (device->behind == NULL && (device->vendor != EDU_VENDOR || device->device != EDU_DEVICE)))
        return false;
    for (unsigned i = 0; i < PCI_BARS; i++)
        bars[i] = pci_read(device, BARS + 4 * i, 4);
    if (device->behind != NULL) {
        reset_bus(device->behind);
    } else {
        pci_write(device, COMMAND, 2, 0);
        pci_clear_message(device);
        wait_ns(TRANSFER_NS);
    }
    resets++;
    bool off = (pci_read(device, COMMAND, 2) & COMMAND_MASTER) == 0;
    place_again(device, bars);
    return off;
}

unsigned machine_resets(void)
{
    return resets;
}
