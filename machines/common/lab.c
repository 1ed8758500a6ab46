// SPDX-License-Identifier: MIT
#include "lab.h"

#include "options.h"
#include "print.h"

const char *device_text(const struct pci_device *device, char out[16])
{
    machine_format(out, 16, "%04x:%02x:%02x.%u", device->segment, device->bus,
                   (unsigned)device->devfn >> 3, device->devfn & 7u);
    return out;
}

static uint8_t pattern_byte(uint32_t seed, size_t at)
{
    uint32_t x = seed * 2654435761u + (uint32_t)at * 40503u;
    x ^= x >> 15;
    x *= 2246822519u;
    return (uint8_t)(x >> 24);
}

void fill_pattern(void *memory, size_t bytes, uint32_t seed)
{
    uint8_t *out = memory;
    for (size_t i = 0; i < bytes; i++)
        out[i] = pattern_byte(seed, i);
}

bool has_pattern(const void *memory, size_t bytes, uint32_t seed)
{
    const uint8_t *in = memory;
    for (size_t i = 0; i < bytes; i++) {
        if (in[i] != pattern_byte(seed, i))
            return false;
    }
    return true;
}

bool all_bytes(const void *memory, size_t bytes, uint8_t value)
{
    const uint8_t *in = memory;
    for (size_t i = 0; i < bytes; i++) {
        if (in[i] != value)
            return false;
    }
    return true;
}

uint64_t checksum(const void *memory, size_t bytes)
{
    const uint8_t *in = memory;
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ in[i]) * 0x100000001b3ull;
    return hash;
}

static void find_edus(struct lab *lab)
{
    char text[16];
    for (unsigned i = 0; lab->edu_count < LAB_EDUS; i++) {
        struct pci_device *pci = pci_find(EDU_VENDOR, EDU_DEVICE, i);
        if (pci == NULL)
            return;
        if (edu_open(&lab->edus[lab->edu_count], pci))
            lab->edu_count++;
        else
            say("%s  an edu device that does not answer", device_text(pci, text));
    }
}

/* Roles by position: tools/machine puts them on the bus in this order. */
static void give_roles(struct lab *lab)
{
    struct edu **roles[] = {&lab->plain, &lab->wide, &lab->firmware};
    unsigned given = 0;
    /* 28 as the device comes; where no memory lies that low it is given more. */
    lab->plain_bits = option_number("edu-bits", 28);
    for (unsigned i = 0; i < lab->edu_count; i++) {
        struct edu *edu = &lab->edus[i];
        if (edu->pci->behind != NULL) {
            lab->bridged = edu;
        } else if (given < sizeof(roles) / sizeof(roles[0])) {
            *roles[given++] = edu;
        }
    }
}

static void tell_edu(const struct edu *edu, const char *role)
{
    char text[16];
    if (edu != NULL)
        say("%s  edu, a DMA engine that copies wherever it is told%s", device_text(edu->pci, text),
            role);
}

void lab_find_devices(struct lab *lab)
{
    char text[16];
    find_edus(lab);
    give_roles(lab);
    tell_edu(lab->plain, "");
    tell_edu(lab->wide, ", with 64-bit addresses");
    tell_edu(lab->firmware, ", with memory reserved by firmware");
    tell_edu(lab->bridged, ", behind a PCI bridge");
    lab->rng = pci_find(VIRTIO_RNG_VENDOR, VIRTIO_RNG_DEVICE, 0);
    if (lab->rng != NULL)
        say("%s  virtio-rng, a source of random bytes", device_text(lab->rng, text));
    lab->nvme = pci_find_class(NVME_CLASS, 0);
    if (lab->nvme != NULL)
        say("%s  an NVMe disk", device_text(lab->nvme, text));
}
