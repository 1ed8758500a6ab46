// SPDX-License-Identifier: MIT
/*
 * Nested domains: a first stage that somebody else makes, on the second stage of a domain of ours.
 *
 * A guest that sees an IOMMU of its own makes tables for it, with addresses of its own memory. With
 * two stages the hardware walks these tables as they are and takes every address in them, and every
 * address that comes out of them, through the parent domain: what the guest writes there decides
 * where its device goes, but only within what the parent maps. The parent is an ordinary, unmanaged
 * domain, created with nest_parent, in which the guest's memory is mapped at its guest addresses.
 *
 *     sluice_domain_create(sluice, &config, &parent)            config.nest_parent: true
 *     sluice_domain_map(parent, guest_address, phys, bytes, ...)
 *     sluice_domain_create_nested(parent, &info, &nested)       what the guest told its IOMMU
 *     sluice_domain_attach(nested, device)
 *     sluice_domain_invalidate_nested(nested, list, count)      what the guest told it to forget
 *
 * What changed in the parent is invalidated by the parent's own functions, with all that is nested
 * in it.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_NESTED_H
#define SLUICE_NESTED_H

#include <sluice/domain.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Whose tables they are. */
enum sluice_nested_format {
    SLUICE_NESTED_NONE = 0,
    SLUICE_NESTED_SMMU_V3, /**< Arm SMMUv3: context descriptors */
    SLUICE_NESTED_RISCV,   /**< RISC-V IOMMU: first-stage tables, or a process directory */
};

/** The fields of a guest's stream table entry that are its to choose [SMMU 5.2]. */
struct sluice_nested_smmu3 {
    uint64_t contexts;          /**< S1ContextPtr: guest address of the context descriptors */
    unsigned format;            /**< S1Fmt: 0 linear, 1 leaves of 4 KiB, 2 of 64 KiB */
    unsigned contexts_lg2;      /**< S1CDMax; 0: one descriptor, no substreams */
    unsigned without_substream; /**< S1DSS: 0 refused, 1 past the first stage, 2 descriptor 0 */
};

/** Likewise of a device context [RISC-V IOMMU 2.1.3]. */
struct sluice_nested_riscv {
    uint64_t first_stage; /**< fsc: mode and number of the root page; all of it 0: none */
    uint32_t tag;         /**< PSCID; without a process directory */
    /**
     * PDTV: `first_stage` is a process directory. Not for devices with a device TLB: what it holds
     * under PASIDs of the guest's nobody here could name. QEMU's unit, up to 10.0 at least, reads
     * directories by these addresses as if they were the host's [RISC-V IOMMU 2.3.2 has it
     * translate them]: a guest that is to be kept from the host's memory gets none there.
     */
    bool processes;
    bool default_process; /**< DPE: requests without a process ID are those of process 0 */
};

/** What a guest told its IOMMU of a device. Nothing in it is believed. */
struct sluice_nested_info {
    enum sluice_nested_format format;
    union {
        struct sluice_nested_smmu3 smmu3;
        struct sluice_nested_riscv riscv;
        uint64_t room[8]; /**< for formats to come */
    };
};

enum sluice_nested_what {
    SLUICE_NESTED_EVERYTHING = 0, /**< contexts, and translations under every tag */
    SLUICE_NESTED_CONTEXTS,       /**< of one PASID, or with SLUICE_NO_PASID of all */
    SLUICE_NESTED_TAG,            /**< translations under a tag: an ASID, a PSCID */
    /** Of [first, last] under a tag: what the guest's commands by address mean, which may be leaves
     * alone (RISC-V IOMMUs without CAP.NL). */
    SLUICE_NESTED_RANGE,
};

/** One thing that is not to be used any more as it was. */
struct sluice_nested_invalidation {
    enum sluice_nested_what what;
    uint32_t pasid; /**< CONTEXTS; SLUICE_NO_PASID: all */
    uint32_t tag;   /**< TAG, RANGE */
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
};

/** Entries of one list. */
#define SLUICE_NESTED_LIST_MAX 256u

/**
 * Creates a domain that is a first stage on `parent`. It takes no mappings: its tables are the
 * guest's. Devices are attached and detached as with any domain; one that leaves goes through no
 * moment in which it reaches more than before or after.
 * @param parent  created with nest_parent; it cannot be destroyed before this one
 * @param info    copied; what the unit cannot take is refused when a device is attached: INVALID (a
 *                field has no such value), RANGE (tables beyond the parent's aperture), UNSUPPORTED
 * Context: any thread.
 * Returns: OK; INVALID (also: the parent was not created so); UNSUPPORTED (no unit takes this
 * format); STATE (not started); NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_domain_create_nested(struct sluice_domain *parent, const struct sluice_nested_info *info,
                            struct sluice_domain **out);

/**
 * Makes the hardware, device TLBs included, forget what the guest's list says, and returns when it
 * has. Nothing is believed of the list but that it is `count` long: at worst the guest keeps what
 * it wanted forgotten, or more is forgotten than it wanted.
 * @param count  up to SLUICE_NESTED_LIST_MAX
 * Context: any thread. Waits for the hardware.
 * Returns: OK; INVALID (no nested domain, too many, an unknown kind, an empty range: nothing was
 * invalidated); TIMEOUT or HARDWARE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_domain_invalidate_nested(struct sluice_domain *domain,
                                const struct sluice_nested_invalidation *list, unsigned count);

#ifdef __cplusplus
}
#endif

#endif
