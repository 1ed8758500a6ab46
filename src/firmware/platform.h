// SPDX-License-Identifier: MIT
/*
 * The platform description: what firmware says about units and who is behind them, in one form
 * for every kind of table. Table parsers append to it; unit drivers and src/instance read it.
 *
 * Everything in it was checked for length, but is still the firmware's word: addresses and scopes
 * may be nonsense. Pointers into tables point into copies that the platform owns.
 */
#ifndef SLUICE_FIRMWARE_PLATFORM_H
#define SLUICE_FIRMWARE_PLATFORM_H

#include "core/list.h"

#include <sluice/platform.h>
#include <sluice/status.h>
#include <sluice/types.h>

struct sluice;

enum platform_scope_kind {
    PLATFORM_SCOPE_PCI_DEVICE = 0, /**< one function, found by bus and path */
    PLATFORM_SCOPE_PCI_BRIDGE,     /**< a bridge, found by bus and path, and everything below it */
    PLATFORM_SCOPE_PCI_RANGE,      /**< requester IDs first to last, as numbers */
    PLATFORM_SCOPE_IOAPIC,         /**< an interrupt source: `enum_id` is its APIC ID */
    PLATFORM_SCOPE_HPET,           /**< an interrupt source: `enum_id` is its HPET number */
    PLATFORM_SCOPE_ACPI_NAME, /**< a device of the ACPI namespace: `enum_id` links to its name */
    PLATFORM_SCOPE_NAMED,     /**< a device outside PCI: by `name` or `registers` */
    PLATFORM_SCOPE_IDS,       /**< source IDs of `unit` as they are, whoever has them */
};

/**
 * Who is meant. A path is pairs (device, function): the first below `start_bus`, each further one
 * below the secondary bus of the bridge before it [VT-d 8.3.1]. It must be followed in config
 * space when it is used, since buses are renumbered.
 */
struct platform_scope {
    struct list_node node;
    enum platform_scope_kind kind;
    uint16_t segment;
    uint8_t enum_id;
    uint8_t start_bus;
    unsigned path_length;  /**< pairs */
    const uint8_t *path;   /**< path_length pairs (device, function) */
    uint16_t last_segment; /**< PCI_RANGE, inclusive: `segment` but in a range of segments */
    uint16_t rid_ignored;  /**< PCI_RANGE: bits of a requester ID that do not count */
    uint16_t first_rid;    /**< PCI_RANGE */
    uint16_t last_rid;     /**< PCI_RANGE, inclusive */
    uint32_t first_id;     /**< PCI_RANGE: source ID of first_rid; NAMED, IDS: the first */
    uint32_t id_count;     /**< NAMED, IDS */
    const char *name;      /**< NAMED: not terminated; NULL: by its registers alone */
    uint32_t name_bytes;
    sluice_phys_t registers;          /**< NAMED: 0: by its name alone */
    const struct platform_unit *unit; /**< IDS */
    uint8_t address_bits; /**< PCI_RANGE, NAMED: widest address on the way there; 0: no limit */
    bool ats;             /**< PCI_RANGE: firmware says that ATS works here */
    enum sluice_coherence coherence; /**< PCI_RANGE, NAMED: of the device's DMA */
    bool tells_senders;    /**< NAMED: a controller knows its messages by it: platform_senders */
    bool aliased;          /**< PCI_RANGE: requests arrive as `source_rid`, all of the range's */
    uint16_t source_rid;   /**< aliased; IOAPIC, HPET, ACPI_NAME of an IVHD: their requester ID */
    uint8_t settings;      /**< of an IVHD: bits for the device's table entry [AMD 5.2.2.1] */
    uint32_t table_offset; /**< where in its table, for messages */
};

/** What an IVHD says of an AMD IOMMU itself [AMD 5.2.2]. */
struct platform_ivhd {
    uint8_t type;        /**< 10h, 11h or 40h: which of its descriptions this is */
    uint8_t flags;       /**< set of enum platform_ivhd_flags */
    uint16_t rid;        /**< its own PCI function, or an ID that is none */
    uint16_t capability; /**< offset of its capability block in that function */
    uint8_t virt_bits;   /**< widest address it translates; 0: not said */
    bool has_efr;        /**< the table has an image of the extended feature register */
    uint64_t efr;
    uint64_t efr2;
};

enum platform_ivhd_flags {
    PLATFORM_IVHD_HT_TUNNEL = 1u << 0,
    PLATFORM_IVHD_PASS_PW = 1u << 1,
    PLATFORM_IVHD_RES_PASS_PW = 1u << 2,
    PLATFORM_IVHD_ISOC = 1u << 3,
    PLATFORM_IVHD_IOTLB = 1u << 4, /**< it knows device TLBs */
    PLATFORM_IVHD_COHERENT = 1u << 5,
    PLATFORM_IVHD_PREFETCH = 1u << 6,
    PLATFORM_IVHD_PPR = 1u << 7,
};

struct platform_unit {
    struct list_node node;
    enum sluice_unit_kind kind;
    uint16_t segment;
    bool on_pci;             /**< it is a PCI function, `rid` of `segment`, and `base` is 0 */
    uint16_t rid;            /**< on_pci */
    sluice_phys_t base;      /**< registers */
    uint64_t register_bytes; /**< as far as firmware says; at least one page */
    bool covers_rest;        /**< covers every PCI device of the segment that no other unit names */
    /** Source IDs are what its scopes say; else they are requester IDs. */
    bool maps_ids;
    enum sluice_coherence coherence;       /**< of its table walks, where firmware says it */
    uint32_t model;                        /**< SMMUs: which implementation [IORT 3.1.1.2] */
    uint32_t wires[SLUICE_UNIT_WIRES_MAX]; /**< interrupts as the host counts them; 0: none */
    struct list_node scopes;               /**< struct platform_scope */
    struct platform_ivhd ivhd;             /**< AMD_VI */
    uint32_t table_offset;
};

/** Memory that firmware says a device uses on its own: RMRR, IVMD, RMR. */
struct platform_reserved {
    struct list_node node;
    uint16_t segment;
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
    uint64_t offset;    /**< from an address to its memory, modulo 2^64: 0 is one to one */
    uint32_t prot;      /**< set of enum sluice_prot; 0: nothing, the addresses are kept free */
    struct list_node scopes;
    uint32_t table_offset;
};

/** Root ports whose devices may use ATS (ATSR). */
struct platform_ats {
    struct list_node node;
    uint16_t segment;
    bool all_ports;
    struct list_node scopes;
    uint32_t table_offset;
};

/** A window of PCI configuration space in memory (MCFG). */
struct platform_ecam {
    struct list_node node;
    sluice_phys_t base; /**< of bus 0, also when first_bus is not 0 [PCI Firmware 3.3, 4.1.2] */
    uint16_t segment;
    uint8_t first_bus;
    uint8_t last_bus;
};

/**
 * Devices whose interrupt messages a controller knows by their sender: what one sends is never
 * another's. The sender's ID comes with the message, not in it.
 */
struct platform_senders {
    struct list_node node;
    enum sluice_message_controller kind;
    bool on_pci; /**< PCI functions; else a device that a scope names, with tells_senders */
    uint16_t segment;
    uint16_t first_rid;
    uint32_t count;
    uint32_t first_id;    /**< of the first, as the controller is told; the others follow */
    uint64_t controllers; /**< set of 1 << (number % 64): those that it may be */
};

/** Where such a controller takes messages. */
struct platform_doorbell {
    struct list_node node;
    sluice_phys_t first;
    sluice_phys_t last; /**< inclusive */
};

/** A private copy of a table or name, which the pointers above point into. */
struct platform_table {
    struct list_node node;
    size_t bytes;
    uint8_t data[];
};

struct platform {
    struct list_node units;     /**< struct platform_unit */
    struct list_node reserved;  /**< struct platform_reserved */
    struct list_node ats;       /**< struct platform_ats */
    struct list_node ecam;      /**< struct platform_ecam */
    struct list_node senders;   /**< struct platform_senders */
    struct list_node doorbells; /**< struct platform_doorbell */
    struct list_node tables;    /**< struct platform_table */
    struct list_node names;     /**< struct platform_table: names that came otherwise */
    uint32_t reserved_ids;      /**< while a table is read: IDs that its reserved memory names */
    uint32_t sender_steps;      /**< the same: mappings that were looked at for senders */
    unsigned host_address_bits; /**< widest physical address firmware claims; 0: not said */
    bool interrupt_remapping;   /**< firmware says the platform supports it */
    bool x2apic_opt_out;        /**< firmware asks to stay out of x2APIC */
    bool dma_opt_in; /**< firmware asks for DMA protection (DMA_CTRL_PLATFORM_OPT_IN_FLAG) */
};

void platform_init(struct platform *platform);

/** Frees everything in it; it is empty and usable afterwards. */
void platform_clear(struct sluice *sluice, struct platform *platform);

/**
 * Checks one ACPI table whole, then copies it and appends what it describes. All or nothing.
 * Returns: OK (also for signatures that no parser is there for); FIRMWARE (logged with table and
 * offset); EXISTS; NO_MEMORY.
 */
SLUICE_MUST_CHECK enum sluice_status platform_add_table(struct sluice *sluice,
                                                        struct platform *platform,
                                                        const void *table, size_t bytes);

/**
 * Whether all of these functions are senders that a controller knows; else *out_rid is the first
 * that is not. */
bool platform_knows_senders(const struct platform *platform, uint16_t segment, uint16_t first_rid,
                            uint16_t last_rid, uint16_t *out_rid);
/** Whether a controller may take two of them for one. */
bool platform_mixes_senders(const struct platform *platform);
/** Whether messages that are written there are known by their sender. */
bool platform_is_doorbell(const struct platform *platform, sluice_phys_t first, sluice_phys_t last);

/** Whether two units are the same registers or the same function. */
bool platform_same_unit(const struct platform_unit *one, const struct platform_unit *other);

#endif
