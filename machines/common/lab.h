// SPDX-License-Identifier: MIT
/*
 * The laboratory: the devices found, the library instance that guards them (or none), and the
 * helpers every scenario uses. Scenarios get it as their only argument and name no kind of IOMMU.
 */
#ifndef MACHINE_LAB_H
#define MACHINE_LAB_H

#include "edu.h"
#include "nvme.h"
#include "report.h"
#include "virtio_rng.h"

#define LAB_EDUS 4u

struct lab {
    struct edu edus[LAB_EDUS];
    unsigned edu_count;
    struct pci_device *rng, *nvme;
};

struct scenario {
    const char *name, *title;
    void (*run)(struct lab *lab);
};

/** Ends with an entry whose name is NULL. */
extern const struct scenario scenarios_open[]; /* without an IOMMU */

/** Finds the devices and tells about them. */
void lab_find_devices(struct lab *lab);

/** Fills memory with a pattern that depends on the seed and the position. */
void fill_pattern(void *memory, size_t bytes, uint32_t seed);
bool has_pattern(const void *memory, size_t bytes, uint32_t seed);
/** Whether all bytes have this value. */
bool all_bytes(const void *memory, size_t bytes, uint8_t value);
/** FNV-1a over the bytes. */
uint64_t checksum(const void *memory, size_t bytes);

/** "0000:00:05.0" */
const char *device_text(const struct pci_device *device, char out[16]);

#endif
