// SPDX-License-Identifier: MIT
/*
 * The platform description by hand: for hosts that know their IOMMUs from elsewhere than ACPI
 * tables, such as a devicetree (sluice/devicetree.h does it from a blob), a hypervisor's own
 * records or a board file. What is described here and what tables describe adds up.
 *
 * Everything is said before sluice_start: units first, then who is behind them. Nothing is
 * believed further than a table would be.
 *
 * Context of everything here: as in the head of sluice/instance.h.
 */
#ifndef SLUICE_PLATFORM_H
#define SLUICE_PLATFORM_H

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;

enum sluice_unit_kind {
    SLUICE_UNIT_INTEL_VTD = 0,
    SLUICE_UNIT_AMD_VI,
    SLUICE_UNIT_SMMU_V3,
    SLUICE_UNIT_SMMU_V2,
    SLUICE_UNIT_RISCV,
    SLUICE_UNIT_VIRTIO,
    SLUICE_UNIT_KIND_COUNT
};

/** Whether firmware says that a unit's table walks, or a device's DMA, snoop CPU caches. */
enum sluice_coherence {
    SLUICE_COHERENCE_UNKNOWN = 0, /**< not said: the unit's registers decide; a device's does */
    SLUICE_COHERENCE_YES,
    SLUICE_COHERENCE_NO,
};

/** Wired interrupts that a unit can have: events, page requests, errors, completion. */
#define SLUICE_UNIT_WIRES_MAX 4u

struct sluice_unit_description {
    enum sluice_unit_kind kind;
    sluice_phys_t base;      /**< registers; ignored for a unit on PCI */
    uint64_t register_bytes; /**< 0: as many as its kind has */
    bool on_pci;             /**< the unit is a PCI function: */
    uint16_t segment;        /**< on_pci */
    uint16_t rid;            /**< on_pci */
    enum sluice_coherence coherence;
    /** Interrupt numbers as the host counts them, 0 for none; meaning and order are the kind's. */
    uint32_t wires[SLUICE_UNIT_WIRES_MAX];
};

/**
 * Adds a unit.
 * @param out_unit a number for it, for the functions below
 * Returns: OK; STATE (already started); EXISTS (a unit has these registers, or is this function);
 * INVALID; NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_unit(struct sluice *sluice, const struct sluice_unit_description *unit,
                     unsigned *out_unit);

/** PCI functions behind a unit, and the source IDs (stream, device, endpoint) they get there. */
struct sluice_pci_sources {
    unsigned unit;
    uint16_t segment;
    uint16_t rid_ignored; /**< bits of the requester ID that do not count: dropped first */
    uint16_t first_rid;
    uint16_t last_rid;    /**< inclusive */
    uint32_t first_id;    /**< source ID of first_rid; those after it follow one by one */
    uint8_t address_bits; /**< widest DMA address on the way to the unit; 0: no limit */
    bool ats;             /**< firmware says that ATS works here */
    enum sluice_coherence coherence;
};

/**
 * Says which functions are behind a unit.
 * Returns: OK; STATE; NOT_FOUND (no such unit); INVALID (the range is empty, has bits outside the
 * mask, or its IDs exceed 32 bits); EXISTS (another range has one of these functions); NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_pci_sources(struct sluice *sluice, const struct sluice_pci_sources *sources);

/** What takes interrupt messages, where it knows them by who sends them. */
enum sluice_message_controller {
    SLUICE_MESSAGES_UNKNOWN = 0, /**< it does not, or nobody says so */
    SLUICE_MESSAGES_GIC_ITS,     /**< Arm's: by the device ID that comes with the write */
    SLUICE_MESSAGES_OTHER,       /**< the host knows */
};

/** A device outside PCI: named by a path, by its registers, or both. */
struct sluice_device_sources {
    unsigned unit;
    const char *path;        /**< ACPI or devicetree path, copied; NULL: by its registers alone */
    sluice_phys_t registers; /**< 0: by its path alone */
    uint32_t first_id;
    uint32_t id_count; /**< at least 1; call again for IDs that do not follow one by one */
    uint8_t address_bits;
    enum sluice_coherence coherence;
    /** Not UNKNOWN: its messages are known by their sender, as sluice_message_senders has it. For a
     * device with one source ID: said again, it would be another with the same ID. */
    enum sluice_message_controller messages;
    uint32_t message_controller; /**< as sluice_message_senders.controller */
    uint32_t message_id;         /**< as sluice_message_senders.first_message_id */
};

/** Longest path, in bytes. */
#define SLUICE_DEVICE_PATH_BYTES 255u

/** Most source IDs of one device outside PCI. */
#define SLUICE_DEVICE_IDS_MAX 128u

/** Says which source IDs a device outside PCI has. Returns: as above, but for EXISTS. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_device_sources(struct sluice *sluice, const struct sluice_device_sources *sources);

/** Most memory of one range that is kept mapped; ranges that firmware's tables name included. */
#define SLUICE_RESERVED_BYTES_MAX ((uint64_t)16 << 30)

/**
 * PCI functions whose interrupt messages are isolated by the interrupt controller: it looks each
 * one up by who sent it, as the interconnect says and not the message, so that none raises what
 * belongs to another. Nothing is believed to be so unless firmware (IORT with the MADT, or a
 * devicetree) or the host says it. Where it is said of every device behind the units, and
 * sluice_host_ops.doorbell_extent names nothing but doorbells of such controllers, the protection
 * levels above basic can be had without interrupt remapping.
 */
struct sluice_message_senders {
    uint16_t segment;
    uint16_t first_rid;
    uint16_t last_rid;   /**< inclusive */
    uint32_t controller; /**< which, by any number that the host keeps to */
    /** What the controller is told as the sender for first_rid; those after it follow. */
    uint32_t first_message_id;
    enum sluice_message_controller kind; /**< not UNKNOWN */
};

/**
 * Says it. Two functions with one ID at one controller are not told apart, and keep all from
 * counting as isolated. Returns: OK (also beyond 1024 ranges, which count for nothing: the log says
 * so); STATE (already started); INVALID; NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_message_senders(struct sluice *sluice,
                                const struct sluice_message_senders *senders);

/**
 * Says that messages written to [first, last] are taken by a controller that knows their senders,
 * and that nothing else is there. Returns: OK; STATE; INVALID; NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_message_doorbell(struct sluice *sluice, sluice_phys_t first, sluice_phys_t last);

/**
 * Memory that firmware has a device use already, kept mapped for it all the time; or addresses that
 * nothing may be mapped at for it.
 */
struct sluice_reserved_memory {
    unsigned unit;
    uint32_t first_id; /**< source IDs that use it */
    uint32_t id_count; /**< 1 to 65536 */
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
    /**
     * Set of READ and WRITE. 0: nothing is there, and the addresses are kept out of every domain of
     * the device but identity, where they are memory's.
     */
    uint32_t prot;
    /**
     * The memory is not at the addresses that the device uses, but begins at `phys`; both begin at
     * a page of 4 KiB, or at the same byte of one. An identity domain cannot have it, and refuses
     * the device.
     */
    bool moved;
    sluice_phys_t phys;
};

/**
 * Says it.
 * Returns: OK; STATE; NOT_FOUND (no such unit); INVALID; FIRMWARE (memory of more than
 * SLUICE_RESERVED_BYTES_MAX; logged); NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_describe_reserved(struct sluice *sluice, const struct sluice_reserved_memory *memory);

/** The word for a kind: "SMMUv3". Never NULL. */
SLUICE_API const char *sluice_unit_kind_text(enum sluice_unit_kind kind);

#ifdef __cplusplus
}
#endif

#endif
