// SPDX-License-Identifier: MIT
/*
 * Domains: what a set of devices may reach.
 *
 * Devices attached to one domain share its translation; devices of different domains share
 * nothing. Mapping and unmapping may run on many CPUs at once as long as the ranges are disjoint:
 * who owns a range of IOVA is the caller's business (an allocator's, a hypervisor's memory map).
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_DOMAIN_H
#define SLUICE_DOMAIN_H

#include <sluice/device.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sluice_domain_kind {
    SLUICE_DOMAIN_DMA = 0,   /**< a kernel's own drivers, mapped by the DMA API */
    SLUICE_DOMAIN_UNMANAGED, /**< mapped by the caller alone: hypervisors, user-space drivers */
    SLUICE_DOMAIN_IDENTITY, /**< every address is its own translation: no protection, said loudly */
    SLUICE_DOMAIN_BLOCKING, /**< nothing is reachable, memory reserved by firmware neither */
    SLUICE_DOMAIN_NESTED,   /**< by sluice_domain_create_nested alone */
};

struct sluice_domain_config {
    enum sluice_domain_kind kind;
    /** The device it is made for, which decides page sizes and aperture; NULL: for all units. */
    struct sluice_device *device;
    unsigned iova_bits; /**< aperture wanted; 0 is the widest the units have */
    const char *name;   /**< for the log; copied, up to 31 characters; may be NULL */

    /**
     * For the DMA API: sluice_dma_unmap does not wait for the invalidation, which is done for many
     * unmaps at once, lazy_window_ns later at most (see sluice_dma_poll). Until then a device of
     * the domain may still reach the buffer: much faster, and only for devices that are trusted. An
     * untrusted device in the domain turns it off.
     */
    bool lazy;
    uint64_t lazy_window_ns; /**< 0 is 10 ms */
    /** For the DMA API: use addresses below 4 GiB first, for devices that handle them better. */
    bool prefer_32bit;
    /**
     * Of an unmanaged domain: nested ones are to be created on it (sluice/nested.h), so its tables
     * are a second stage. UNSUPPORTED where a unit has no two stages.
     */
    bool nest_parent;
};

struct sluice_domain_info {
    enum sluice_domain_kind kind;
    sluice_iova_t first;   /**< lowest IOVA that can be mapped */
    sluice_iova_t last;    /**< highest, inclusive */
    uint64_t page_sizes;   /**< bit n set: mappings of 1 << n bytes exist */
    uint64_t table_bytes;  /**< memory its page tables hold now */
    unsigned device_count; /**< devices attached */
    /** Memory for what was unmapped lately (sluice_config.unmap_history). */
    uint64_t history_bytes;
};

/** What is mapped at an address. */
struct sluice_mapping {
    sluice_phys_t phys;  /**< where the looked-up address goes, offset included */
    uint64_t page_bytes; /**< size of the page it lies in */
    uint32_t prot;       /**< set of enum sluice_prot */
};

/**
 * Creates a domain with nothing mapped and no device attached.
 * Returns: OK; STATE (not started); DENIED (the protection level forbids it, sluice/protection.h);
 * UNSUPPORTED (units disagree, or none can give `iova_bits`;
 * name a device); NO_MEMORY; INVALID.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_domain_create(struct sluice *sluice, const struct sluice_domain_config *config,
                     struct sluice_domain **out);

/**
 * Destroys a domain and frees its tables.
 * Returns: OK; INVALID (a pointer is NULL); BUSY (a device is attached or assigned, a domain nested
 * in it, or the DMA API open); STATE (the instance is being started or stopped).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_domain_destroy(struct sluice_domain *domain);

/** What a domain can do and holds. Context: any thread. */
SLUICE_API void sluice_domain_info(struct sluice_domain *domain, struct sluice_domain_info *out);

/**
 * Attaches a device, or moves it here from the domain it is in. At no moment does the device
 * reach more than the old domain or the new one allows; on an error it is left where it was, or,
 * when the hardware no longer answers, blocked and in no domain.
 *
 * Reserved regions that firmware demands are mapped one to one into the domain first.
 * Returns: OK (also when it is attached here already); INVALID (a pointer is NULL); BUSY (its DMA
 * API is open elsewhere); STATE (not started, or it is in quarantine); DENIED (shares its requester
 * ID with a device of another domain; a device of its group is in another domain, and the log says
 * what ties them; the domain or the device was assigned, or the protection level forbids it, see
 * sluice/protection.h); EXISTS (a reserved region collides with a mapping); RANGE
 * (one is beyond the domain's addresses); UNSUPPORTED (the device's unit cannot walk this domain's
 * tables); NOT_FOUND (the unit knows none of the device's IDs); NO_SPACE (no domain ID left);
 * NO_MEMORY; TIMEOUT; HARDWARE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_domain_attach(struct sluice_domain *domain,
                                                                     struct sluice_device *device);

/**
 * Takes a device out of its domain. It is blocked from then on, but for reserved regions that
 * firmware demands.
 * Returns: OK (also when it is in none); INVALID (a pointer is NULL); STATE (not started); BUSY
 * (its DMA API is open); NOT_FOUND (the unit knows none
 * of the device's IDs); TIMEOUT; HARDWARE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_domain_detach(struct sluice_device *device);

/**
 * Maps [iova, iova + bytes) to [phys, phys + bytes), with the largest pages that fit.
 * All or nothing: on an error nothing of the range is mapped that was not before.
 * @param bytes    a multiple of the smallest page; so must be iova and phys
 * @param prot     set of enum sluice_prot with at least read or write
 * Context: any thread; interrupt-safe where the host's page allocator is. Ranges of concurrent
 * calls must be disjoint.
 * Returns: OK; INVALID (no permission, zero bytes); ALIGNMENT; RANGE (outside the aperture or the
 * unit's physical width, or wraps); EXISTS (something in the range is mapped); DENIED (a reserved
 * region, a domain that takes no mappings, or one whose addresses the DMA API hands out);
 * NO_MEMORY; TIMEOUT (a failed call could not be
 * undone on every unit in time).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_domain_map(struct sluice_domain *domain,
                                                                  sluice_iova_t iova,
                                                                  sluice_phys_t phys,
                                                                  uint64_t bytes, uint32_t prot);

/**
 * Unmaps whatever is mapped in [iova, iova + bytes) and returns when no device can reach it any
 * more: the memory behind it may be reused after OK, and only then. Large pages that stick out of
 * the range are split where the hardware allows that without a gap.
 * @param out_unmapped_bytes  how much was mapped there; may be NULL
 * Context: any thread; ranges of concurrent calls must be disjoint. Waits for the hardware.
 * Returns: OK; INVALID; ALIGNMENT; RANGE; DENIED (as sluice_domain_map); UNSUPPORTED (would need to
 * split a page that this hardware cannot; nothing was unmapped); NO_MEMORY (a split found no
 * memory; nothing was unmapped); TIMEOUT or HARDWARE (the entries are gone, but a unit did not
 * confirm: the caller must not reuse the memory). Once a unit did not confirm something of a domain
 * (this, or that a device left it), every later unmap of that domain returns TIMEOUT: destroy it,
 * and use another one.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_domain_unmap(struct sluice_domain *domain,
                                                                    sluice_iova_t iova,
                                                                    uint64_t bytes,
                                                                    uint64_t *out_unmapped_bytes);

/**
 * Looks an address up in the domain's tables.
 * Context: any thread, interrupt-safe; the answer is stale when another CPU unmaps meanwhile.
 * Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (nothing mapped); RANGE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_domain_lookup(struct sluice_domain *domain, sluice_iova_t iova, struct sluice_mapping *out);

#ifdef __cplusplus
}
#endif

#endif
