// SPDX-License-Identifier: MIT
/*
 * ACPI tables that describe IOMMUs, taken apart without allocating anything: for discovery, for
 * tools that print them, for checks.
 *
 *     struct sluice_acpi_table table;
 *     struct sluice_acpi_error error;
 *     struct sluice_acpi_cursor at = {0};
 *     struct sluice_dmar_structure item;
 *     enum sluice_status status = sluice_acpi_open(data, bytes, &table, &error);
 *
 *     while (status == SLUICE_OK &&
 *            (status = sluice_dmar_next(&table, &at, &item, &error)) == SLUICE_OK)
 *         ... use item ...
 *
 * Tables are hostile until read: every length is checked against what holds it, a zero length
 * ends a walk instead of repeating it, and nothing outside the given bytes is read. What a walk
 * returns points into the table, which must stay as it is meanwhile. All fields are little-endian
 * in the table and native here.
 *
 * Every walk ("next") returns OK with an item; NOT_FOUND at the end; or FIRMWARE with *error
 * saying what is wrong at which offset. After FIRMWARE it may be called again: it goes on behind
 * the structure it refused where that has an end, and else returns NOT_FOUND, so a tool can show
 * all that can be shown.
 *
 * Context of everything here: any, interrupt-safe; no locks, no hooks, no instance needed.
 */
#ifndef SLUICE_ACPI_H
#define SLUICE_ACPI_H

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of the header that every table begins with [ACPI 5.2.6]. */
#define SLUICE_ACPI_HEADER_BYTES 36u

/** What is wrong with a table, and where. */
struct sluice_acpi_error {
    uint32_t offset;  /**< bytes from the beginning of the table */
    const char *what; /**< constant text: "structure reaches out of the table" */
};

/** A table whose header was checked. */
struct sluice_acpi_table {
    const uint8_t *data;
    uint32_t bytes; /**< the table's own length, which lies inside what was given */
    char signature[5];
    uint8_t revision;
    uint8_t checksum;     /**< as stored */
    uint8_t checksum_sum; /**< of all bytes; 0 when the checksum is right */
    char oem_id[7];
    char oem_table_id[9];
    uint32_t oem_revision;
    char creator_id[5];
    uint32_t creator_revision;
};

/** Where a walk is; zero-initialise it to begin. */
struct sluice_acpi_cursor {
    uint32_t at; /**< offset of the next item; 0: at the first */
};

/**
 * Checks a table's header [ACPI 5.2.6]. A wrong checksum is not an error here: firmware gets it
 * wrong now and then; it is told in checksum_sum.
 * @param bytes    how many bytes are readable at `data`
 * @param error    may be NULL
 * Returns: OK; FIRMWARE (shorter than a header, or its length reaches past `bytes`).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_acpi_open(const void *data, size_t bytes,
                                                                 struct sluice_acpi_table *out,
                                                                 struct sluice_acpi_error *error);

/* ---- DMAR: Intel VT-d [VT-d 8] ---- */

/** Offset of the first remapping structure. */
#define SLUICE_DMAR_FIRST 48u

enum sluice_dmar_flags {
    SLUICE_DMAR_INTR_REMAP = 1u << 0,      /**< the platform remaps interrupts */
    SLUICE_DMAR_X2APIC_OPT_OUT = 1u << 1,  /**< firmware asks to leave x2APIC mode off */
    SLUICE_DMAR_DMA_CTRL_OPT_IN = 1u << 2, /**< firmware asks for DMA protection */
};

enum sluice_dmar_type {
    SLUICE_DMAR_DRHD = 0, /**< a remapping unit [VT-d 8.3] */
    SLUICE_DMAR_RMRR,     /**< reserved memory [VT-d 8.4] */
    SLUICE_DMAR_ATSR,     /**< root ports with ATS [VT-d 8.5] */
    SLUICE_DMAR_RHSA,     /**< a unit's proximity domain [VT-d 8.6] */
    SLUICE_DMAR_ANDD,     /**< the name of a device outside PCI [VT-d 8.7] */
    SLUICE_DMAR_SATC,     /**< devices that need ATS [VT-d 8.8] */
    SLUICE_DMAR_SIDP,     /**< properties of integrated devices [VT-d 8.9] */
    SLUICE_DMAR_TYPE_COUNT
};

/** The DMAR header behind the common one [VT-d 8.1]. */
struct sluice_dmar_header {
    uint8_t host_address_width; /**< bits, the stored value plus one */
    uint8_t flags;              /**< set of enum sluice_dmar_flags; other bits are reserved */
    bool reserved_clear;        /**< the 10 reserved bytes are zero */
};

/** One remapping structure; fields that its type does not have are zero. */
struct sluice_dmar_structure {
    uint16_t type;   /**< enum sluice_dmar_type, or a number that is newer than this library */
    uint32_t offset; /**< in the table */
    uint32_t bytes;
    uint8_t flags;      /**< DRHD, ATSR, SATC: bit 0 is INCLUDE_PCI_ALL, ALL_PORTS, ATC_REQUIRED */
    uint16_t segment;   /**< DRHD, RMRR, ATSR, SATC, SIDP */
    uint8_t size;       /**< DRHD: registers are 4096 << (this & 15) bytes; the rest is reserved */
    uint64_t base;      /**< DRHD, RHSA: registers; RMRR: first byte */
    uint64_t last;      /**< RMRR: last byte, inclusive */
    uint32_t proximity; /**< RHSA: proximity domain of SRAT */
    uint8_t device_number; /**< ANDD: what scopes of type ACPI call it */
    const char *name;      /**< ANDD: not terminated; NULL in other types */
    uint32_t name_bytes;   /**< without a final zero */
    uint32_t scopes;       /**< offset of the first device scope; 0: this type has none */
    uint32_t reserved;     /**< what is reserved in this type, as a number; ought to be 0 */
};

enum sluice_dmar_scope_type {
    SLUICE_DMAR_SCOPE_ENDPOINT = 1,
    SLUICE_DMAR_SCOPE_BRIDGE = 2, /**< and everything below it */
    SLUICE_DMAR_SCOPE_IOAPIC = 3,
    SLUICE_DMAR_SCOPE_HPET = 4,
    SLUICE_DMAR_SCOPE_ACPI = 5,
};

/** A device scope [VT-d 8.3.1]. */
struct sluice_dmar_scope {
    uint8_t type;  /**< enum sluice_dmar_scope_type, or newer */
    uint8_t flags; /**< only a SIDP's scope has some; else reserved */
    uint8_t enumeration_id;
    uint8_t start_bus;
    uint32_t offset; /**< in the table */
    uint32_t bytes;
    const uint8_t *path;  /**< pairs of device and function */
    unsigned path_length; /**< pairs; may be 0 in a broken table */
    uint8_t reserved;
};

/** Returns: OK; FIRMWARE (too short). `error` may be NULL. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dmar_header(const struct sluice_acpi_table *table, struct sluice_dmar_header *out,
                   struct sluice_acpi_error *error);

/** The next remapping structure. See the head of this file for what it returns. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dmar_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_dmar_structure *out, struct sluice_acpi_error *error);

/** The next device scope of a structure; NOT_FOUND at once where its type has none. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dmar_scope_next(const struct sluice_acpi_table *table,
                       const struct sluice_dmar_structure *structure,
                       struct sluice_acpi_cursor *cursor, struct sluice_dmar_scope *out,
                       struct sluice_acpi_error *error);

/** "DRHD" for a type, or "unknown". Never NULL. */
SLUICE_API const char *sluice_dmar_type_text(uint16_t type);

/* ---- MCFG: PCI configuration space in memory [PCI Firmware 4.1.2] ---- */

struct sluice_mcfg_entry {
    uint32_t offset;
    uint64_t base; /**< of bus 0, also when first_bus is not 0 */
    uint16_t segment;
    uint8_t first_bus;
    uint8_t last_bus; /**< inclusive */
    uint32_t reserved;
};

/** The next window of configuration space. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_mcfg_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_mcfg_entry *out, struct sluice_acpi_error *error);

/* ---- IVRS: AMD IOMMU [AMD 5.2] ---- */

/** Offset of the first definition block. */
#define SLUICE_IVRS_FIRST 48u

/** The IVRS header behind the common one: IVinfo [AMD 5.2.1]. */
struct sluice_ivrs_header {
    uint32_t info; /**< as stored */
    bool efr_supported;
    bool dma_remapping; /**< firmware asks for DMA protection */
    bool ht_ats_reserved;
    uint8_t guest_bits; /**< GVASize, encoded: 2 is 48 bits */
    uint8_t phys_bits;
    uint8_t virt_bits;
    bool reserved_clear; /**< the 8 bytes behind IVinfo are zero */
};

enum sluice_ivrs_type {
    SLUICE_IVRS_IVHD10 = 0x10, /**< an IOMMU */
    SLUICE_IVRS_IVHD11 = 0x11, /**< the same, with its extended features */
    SLUICE_IVRS_IVHD40 = 0x40, /**< the same, and its entries may name ACPI devices */
    SLUICE_IVRS_IVMD_ALL = 0x20,
    SLUICE_IVRS_IVMD_ONE = 0x21,
    SLUICE_IVRS_IVMD_RANGE = 0x22,
};

/** One definition block; fields that its type does not have are zero. */
struct sluice_ivrs_block {
    uint8_t type; /**< enum sluice_ivrs_type, or newer */
    uint8_t flags;
    uint16_t device; /**< IVHD: the IOMMU's requester ID; IVMD: the device, or the first */
    uint32_t offset; /**< in the table */
    uint32_t bytes;
    uint16_t capability; /**< IVHD: offset of its capability block */
    uint16_t segment;    /**< IVHD */
    uint16_t info;       /**< IVHD: MSI number and unit ID */
    uint32_t features;   /**< IVHD 10h: feature reporting; 11h, 40h: attributes */
    uint64_t base;       /**< IVHD: registers; IVMD: first byte */
    uint64_t length;     /**< IVMD: bytes */
    uint64_t efr;        /**< IVHD 11h, 40h: extended feature register image */
    uint64_t efr2;
    uint64_t reserved; /**< IVMD: its reserved 8 bytes; newer firmware puts the segment there */
    uint16_t aux;      /**< IVMD: the last device of a range */
    uint32_t entries;  /**< offset of the first device entry; 0: this type has none */
};

enum sluice_ivrs_entry_type {
    SLUICE_IVRS_PAD4 = 0,
    SLUICE_IVRS_ALL = 1,
    SLUICE_IVRS_SELECT = 2,
    SLUICE_IVRS_RANGE = 3,
    SLUICE_IVRS_RANGE_END = 4,
    SLUICE_IVRS_PAD8 = 64,
    SLUICE_IVRS_ALIAS_SELECT = 66,
    SLUICE_IVRS_ALIAS_RANGE = 67,
    SLUICE_IVRS_EXTENDED_SELECT = 70,
    SLUICE_IVRS_EXTENDED_RANGE = 71,
    SLUICE_IVRS_SPECIAL = 72,
    SLUICE_IVRS_ACPI_DEVICE = 240,
};

/** Variety of a special device entry. */
enum sluice_ivrs_variety {
    SLUICE_IVRS_IOAPIC = 1,
    SLUICE_IVRS_HPET = 2,
};

/** A device entry of an IVHD [AMD 5.2.2.1]; fields that its type does not have are zero. */
struct sluice_ivrs_entry {
    uint8_t type; /**< enum sluice_ivrs_entry_type, or newer */
    uint16_t device;
    uint8_t settings; /**< bits for the device table entry */
    uint32_t offset;  /**< in the table */
    uint32_t bytes;
    uint16_t source;     /**< alias: what the IOMMU sees; special: the requester ID it uses */
    uint32_t extended;   /**< extended settings */
    uint8_t handle;      /**< special: IOAPIC ID or HPET number */
    uint8_t variety;     /**< special: enum sluice_ivrs_variety */
    uint8_t reserved[2]; /**< alias: its two reserved bytes */
    const char *hid;     /**< ACPI device: 8 bytes, not terminated; NULL in other types */
    const char *cid;     /**< 8 bytes, not terminated */
    uint8_t uid_format;  /**< 0 none, 1 integer, 2 text */
    const uint8_t *uid;
    uint32_t uid_bytes;
};

/** Returns: OK; FIRMWARE (too short). */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_ivrs_header(const struct sluice_acpi_table *table, struct sluice_ivrs_header *out,
                   struct sluice_acpi_error *error);

/** The next block: what a unit is, or memory that devices need. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_ivrs_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_ivrs_block *out, struct sluice_acpi_error *error);

/** The next device entry of an IVHD; NOT_FOUND at once for other blocks. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_ivrs_entry_next(const struct sluice_acpi_table *table, const struct sluice_ivrs_block *block,
                       struct sluice_acpi_cursor *cursor, struct sluice_ivrs_entry *out,
                       struct sluice_acpi_error *error);

static inline bool sluice_ivrs_is_ivhd(uint8_t type)
{
    return type == SLUICE_IVRS_IVHD10 || type == SLUICE_IVRS_IVHD11 || type == SLUICE_IVRS_IVHD40;
}

static inline bool sluice_ivrs_is_ivmd(uint8_t type)
{
    return type >= SLUICE_IVRS_IVMD_ALL && type <= SLUICE_IVRS_IVMD_RANGE;
}

/* ---- the way to the tables ---- */

/** What the RSDP says [ACPI 5.2.5.3]. */
struct sluice_acpi_root {
    sluice_phys_t phys;   /**< of the XSDT, or of the RSDT where there is none */
    unsigned entry_bytes; /**< 8 in an XSDT, 4 in an RSDT */
};

/**
 * Checks the RSDP.
 * @param bytes    20 or more; a revision above 0 needs 36
 * Returns: OK; FIRMWARE (signature or checksum wrong, or too short).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_acpi_rsdp(const void *rsdp, size_t bytes,
                                                                 struct sluice_acpi_root *out,
                                                                 struct sluice_acpi_error *error);

/** The next table's physical address in an XSDT or RSDT; zero entries are skipped. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_acpi_root_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                      sluice_phys_t *out_phys, struct sluice_acpi_error *error);

#ifdef __cplusplus
}
#endif

#endif
