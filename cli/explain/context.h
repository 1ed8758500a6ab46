// SPDX-License-Identifier: MIT
// What the rest of the log says about the machine: memory regions, PCI devices, when which
// device was reset. Everything is bounded; what does not fit is forgotten. Called by the hooks,
// pattern.c and the reports.
#ifndef SLUICE_CLI_EXPLAIN_CONTEXT_H
#define SLUICE_CLI_EXPLAIN_CONTEXT_H

#include "problems.h"

enum {
    CONTEXT_MOST_REGIONS = 512,
    CONTEXT_MOST_DEVICES = 512,
    CONTEXT_MOST_RESETS = 16,
};

enum region_kind {
    REGION_RESERVED_TABLE, // RMRR, IVMD or RMR
    REGION_RAM,
    REGION_FIRMWARE, // reserved or ACPI memory of the memory map
    REGION_BAR,
    REGION_BOUNCE,
    REGION_BUFFER, // a mapping that the DMA API's debugging named
};

struct region {
    enum region_kind kind;
    uint64_t start;
    uint64_t last;
    char owner[NAME_BYTES];
};

struct pci_identity {
    uint32_t bdf;
    uint16_t vendor_id;
    uint16_t device_id;
    uint32_t class_code; // 24 bits, 0: not said
};

struct happening {
    bool valid;
    bool has_bdf;
    uint32_t bdf;
    struct moment when;
    char line[LINE_BYTES];
};

struct context {
    struct region regions[CONTEXT_MOST_REGIONS];
    unsigned int region_count;
    struct pci_identity devices[CONTEXT_MOST_DEVICES];
    unsigned int device_count;
    struct happening resets[CONTEXT_MOST_RESETS];
    unsigned int reset_next;
    struct happening resume;
    struct happening unbind;
    struct happening kdump;
    unsigned int address_bits; // 0: not said
    bool init_done;
    char kernel[NAME_BYTES];
};

void context_add_region(struct context *context, enum region_kind kind, uint64_t start,
                        uint64_t last, struct span owner);
const struct region *context_find_region(const struct context *context, enum region_kind kind,
                                         uint64_t address);
// The region whose last byte is just before `address`'s page, of the given kind.
const struct region *context_region_before(const struct context *context, enum region_kind kind,
                                           uint64_t address);
struct pci_identity *context_device(struct context *context, uint32_t bdf);
const struct pci_identity *context_find_device(const struct context *context, uint32_t bdf);

// Remember that something happened; the device is the message's.
void context_note(struct happening *happening, const struct message *message);

// Count the circumstances of a message of `problem`, with the evidence.
void context_judge(const struct context *context, struct problem *problem,
                   const struct message *message);

#endif
