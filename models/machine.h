// SPDX-License-Identifier: MIT
/*
 * A whole simulated machine in one call: host, VT-d units or an AMD-Vi unit, PCI functions, and the
 * DMAR or IVRS and MCFG tables that describe them.
 *
 *     struct machine_config config = machine_defaults();      // one unit, four devices
 *     struct machine *machine = machine_create(&config);
 *     struct sluice_config sluice_config = {0};
 *
 *     model_host_configure(machine->host, &sluice_config);
 *     ... sluice_create; sluice_add_table(sluice, machine->dmar, machine->dmar_bytes) ...
 *     struct dma_device *dev = machine->devices[MACHINE_DEV_A]; // 00:03.0
 *
 *     assert_int_equal(sluice_start(sluice), SLUICE_OK);
 *     ...
 *     assert_int_equal(machine_destroy(machine), 0);           // no violation, nothing leaked
 *
 * The default machine: unit 0 (include all) at 0xfed90000; endpoints 00:03.0 and 00:04.0; a root
 * port 00:1c.0 with 01:00.0 behind it; a PCIe-to-PCI bridge 00:1e.0 with 02:05.0 behind it, whose
 * requests arrive as 02:00.0 [PCIe-PCI bridge 2.3].
 */
#ifndef MODELS_MACHINE_H
#define MODELS_MACHINE_H

#include "models/amdvi.h"
#include "models/dma_device.h"
#include "models/host.h"
#include "models/vtd.h"

#include <sluice/sluice.h>

#define MACHINE_UNITS_MAX   4u
#define MACHINE_DEVICES_MAX 16u
#define MACHINE_REGIONS_MAX 8u
#define MACHINE_TABLE_BYTES 4096u

enum machine_function_kind {
    MACHINE_ENDPOINT = 0, /**< PCI Express endpoint */
    MACHINE_ROOT_PORT,    /**< PCI Express root port */
    MACHINE_PCI_BRIDGE,   /**< PCI Express to PCI bridge */
    MACHINE_CONVENTIONAL, /**< conventional PCI function */
};

struct machine_function {
    bool used;
    enum machine_function_kind kind;
    uint16_t rid;
    unsigned unit;     /**< which unit it is behind */
    uint8_t secondary; /**< bridges: bus below */
    bool ats;          /**< endpoints: ATS capability and device TLB */
    uint16_t dma_rid;  /**< what requests carry; 0: rid */
    bool told;         /**< IVRS tells of dma_rid: configuration space does not */
};

/** An RMRR, or an IVMD. */
struct machine_region {
    sluice_phys_t base;
    sluice_phys_t last;
    uint16_t rid;
    uint16_t last_rid;  /**< IVMD for several devices; 0: for one */
    uint8_t ivmd_flags; /**< 0: one to one, may be read and written */
};

struct machine;
struct machine_config;

/** A kind of unit that the machine does not know by itself: one of it, for all functions. */
struct machine_kind {
    const struct model_unit_ops *ops;
    void *(*create)(struct model_host *host, const struct machine_config *config);
    void (*destroy)(void *unit);
    /** Writes the body of its table with machine_put; the header stands there. */
    void (*describe)(struct machine *machine, size_t *at);
    const char *signature; /**< of the table */
    uint32_t first_id;     /**< source ID of requester ID 0; the others follow */
};

struct machine_config {
    struct model_host_config host;
    const struct machine_kind *kind; /**< instead of `units` and `amd` */
    const void *kind_config;         /**< of its own; NULL: its defaults */
    unsigned unit_count;
    struct vtd_model_config units[MACHINE_UNITS_MAX];
    bool amd; /**< `amd_unit` instead of `units` */
    struct amdvi_model_config amd_unit;
    struct machine_function functions[MACHINE_DEVICES_MAX];
    struct machine_region regions[MACHINE_REGIONS_MAX]; /**< up to the first with last == 0 */
    /** The last unit has no INCLUDE_PCI_ALL; its endpoints are scoped too. */
    bool scoped;
    bool interrupt_remapping; /**< DMAR flag; the last unit covers an IOAPIC and a timer then */
    bool x2apic_opt_out;      /**< DMAR flag */
};

struct machine {
    struct machine_config config;
    struct model_host *host;
    struct vtd_model *units[MACHINE_UNITS_MAX];
    struct amdvi_model *amd;
    void *unit; /**< config.kind's */
    struct dma_device
        *devices[MACHINE_DEVICES_MAX]; /**< by index in config.functions; not bridges */
    struct model_pci_function *functions[MACHINE_DEVICES_MAX];
    uint8_t dmar[MACHINE_TABLE_BYTES]; /**< or IVRS */
    size_t dmar_bytes;
    uint8_t mcfg[64];
    size_t mcfg_bytes;
};

/** What the DMAR says of interrupt controllers. */
#define MACHINE_IOAPIC_ID  2u
#define MACHINE_IOAPIC_RID SLUICE_RID(0xf0, 0x1f, 0)
#define MACHINE_HPET_ID    0u
#define MACHINE_HPET_RID   SLUICE_RID(0xf0, 0x1e, 0)

/** Indexes of the default machine's functions. */
enum {
    MACHINE_DEV_A = 0,      /**< 00:03.0 */
    MACHINE_DEV_B = 1,      /**< 00:04.0 */
    MACHINE_DEV_ROOT = 2,   /**< 00:1c.0 */
    MACHINE_DEV_BELOW = 3,  /**< 01:00.0 */
    MACHINE_DEV_BRIDGE = 4, /**< 00:1e.0 */
    MACHINE_DEV_PCI = 5,    /**< 02:05.0, requests as 02:00.0 */
};

struct machine_config machine_defaults(void);
/** The same machine with an AMD-Vi unit. */
struct machine_config machine_defaults_amd(void);
/** And with an SMMUv3, stream IDs being other numbers than requester IDs. */
struct machine_config machine_defaults_smmu3(void);
/** And with a RISC-V IOMMU. Firmware has no words for reserved memory there. */
struct machine_config machine_defaults_riscv(void);
/** And with a virtio-iommu, 00:01.0. Its table cannot reserve memory: describe that by hand. */
struct machine_config machine_defaults_virtio(void);
struct machine *machine_create(const struct machine_config *config);

/** A device of the test's own behind the machine's first unit, to be destroyed before it. */
struct dma_device *machine_device(struct machine *machine, uint16_t rid);

/** Frees it all; returns the number of violations, library pages, objects and maps left over. */
unsigned machine_destroy(struct machine *machine);

/**
 * What the library holds now, for "as before" comparisons.
 */
struct machine_footprint {
    uint64_t pages, objects;
    unsigned mmio_maps, events;
};

void machine_footprint(struct machine *machine, struct machine_footprint *out);

/** Appends `bytes` of a number, the lowest first, to the table that describes the unit. */
void machine_put(struct machine *machine, size_t *at, uint64_t value, unsigned bytes);

/** Recomputes the checksum of a table that a test changed. */
void machine_checksum(uint8_t *table, size_t bytes);

#endif
