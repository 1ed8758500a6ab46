// SPDX-License-Identifier: MIT
/*
 * The DMA API: what a device's driver calls.
 *
 *     sluice_dma_open(sluice, &config, &dma)                 once a device
 *     sluice_dma_alloc / sluice_dma_free                     rings and descriptors, shared for long
 *     sluice_dma_map / sluice_dma_unmap                      one buffer for one transfer
 *     sluice_dma_map_sg / sluice_dma_unmap_sg                a list of buffers, merged
 *     sluice_dma_sync_for_cpu / sluice_dma_sync_for_device   looking at a buffer that stays mapped
 *
 * The address that comes back is what the driver tells its device; it is the physical one only by
 * accident. Between map and unmap the buffer belongs to the device: the CPU looks at it only
 * between sync_for_cpu and sync_for_device. When unmap returns OK the device does not reach the
 * buffer any more (in a lazy domain: see sluice_domain_config.lazy).
 *
 * What happens below depends on the device and its domain, and drivers need not know:
 *
 *     in a DMA domain         an IOVA of its own, mapped for just the direction asked for
 *     untrusted, there        as before, and where the buffer shares its first or last page with
 *                             other data, a page of its own instead (a bounce page)
 *     in an identity domain,
 *     or without an IOMMU     the physical address, or where the device cannot reach that, a copy
 *                             in bounce memory that it reaches
 *
 * Context of map, unmap and sync, unless said otherwise: any CPU at once, also from interrupt
 * handlers where the host's page hooks can be called there; never sleeps.
 *
 * `site` is where the caller is, for the reports of the checking mode: a string that lives on, as
 * SLUICE_HERE, or NULL.
 */
#ifndef SLUICE_DMA_H
#define SLUICE_DMA_H

#include <sluice/device.h>
#include <sluice/domain.h>
#include <sluice/fault.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One device's way to do DMA. */
struct sluice_dma;

#define SLUICE_HERE_TEXT(line) #line
#define SLUICE_HERE_AT(line)   SLUICE_HERE_TEXT(line)
/** This place in the source, as "file.c:12". */
#ifdef __FILE_NAME__
#define SLUICE_HERE __FILE_NAME__ ":" SLUICE_HERE_AT(__LINE__)
#else
#define SLUICE_HERE __FILE__ ":" SLUICE_HERE_AT(__LINE__)
#endif

/** Which way bytes go, and how; a set with at least one direction. */
enum sluice_dma_flags {
    SLUICE_DMA_TO_DEVICE = 1u << 0,   /**< the device reads memory */
    SLUICE_DMA_FROM_DEVICE = 1u << 1, /**< the device writes memory */
    SLUICE_DMA_BOTH = SLUICE_DMA_TO_DEVICE | SLUICE_DMA_FROM_DEVICE,
    /** Map and unmap copy nothing and clean no caches: the driver calls sync where it is needed. */
    SLUICE_DMA_NO_SYNC = 1u << 2,
    /** sluice_dma_alloc: write-combining for the CPU, where the host has vmap; else ignored. */
    SLUICE_DMA_WRITE_COMBINE = 1u << 3,
};

/** How a device does DMA; zero in every optional field is the recommended value. */
struct sluice_dma_config {
    /** Attached to a DMA or an identity domain; NULL: no IOMMU stands before it. */
    struct sluice_device *device;
    /**
     * Width of the addresses that the device can put out, 24 to 64; 0: 32. Where firmware says that
     * fewer get through to the unit, that counts.
     */
    unsigned address_bits;
    unsigned coherent_address_bits; /**< the same for sluice_dma_alloc; 0: as address_bits */
    /** No chunk of a scatter-gather list crosses a multiple of this; a power of two, or 0. */
    uint64_t boundary_bytes;
    uint64_t segment_bytes; /**< longest chunk of a scatter-gather list; 0: no limit */
    /**
     * Its DMA does not snoop CPU caches: needs the host's cache and vmap hooks. So it is, whatever
     * is set here, where firmware says it.
     */
    bool non_coherent;
    /** Checks this device's mappings, also where sluice_config.check_dma does not ask for it. */
    bool check;
    const char *name; /**< without a device: for the log; copied, up to 31 characters */
};

/**
 * Opens the DMA API for a device. The first of a DMA domain's devices takes over the domain's
 * address space: sluice_domain_map and unmap are refused there until the last one closed. The
 * device stays in its domain until closed.
 * @param out      owned by the instance until sluice_dma_close
 * Context: as sluice_device_add. Without a device it may be called before start.
 * Returns: OK; INVALID; STATE (the device is in no domain, or not started); BUSY (opened before);
 * DENIED (the domain is of another kind; without a device at protection level strict); EXISTS (the
 * caller has mapped something in the domain); UNSUPPORTED (does not snoop, and the host lacks a
 * hook for that); NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_open(struct sluice *sluice, const struct sluice_dma_config *config,
                struct sluice_dma **out);

/**
 * Closes it. Mappings that the driver forgot are reported as leaks and stay: their addresses are
 * not used again while the domain lives. The last close of a domain waits for its lazy
 * invalidations.
 * Context: as sluice_device_remove. No other call with `dma` may be running.
 * Returns: OK; INVALID (a pointer is NULL); BUSY (mappings were left; closed all the same); STATE
 * (not closed: the instance is being started or stopped).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_close(struct sluice_dma *dma);

/* ---- one buffer ---- */

/**
 * Lets the device reach [phys, phys + bytes).
 * @param flags    direction and attributes (enum sluice_dma_flags)
 * @param site     for the checking mode; may be NULL
 * @param out      the address for the device; its offset in a page is that of `phys`
 * Returns: OK; INVALID (no bytes, no direction); RANGE (beyond the unit's or the device's physical
 * reach); NO_SPACE (no IOVA left that the device reaches, or no bounce memory: the log says which);
 * NO_MEMORY; TIMEOUT; HARDWARE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_map(struct sluice_dma *dma,
                                                               sluice_phys_t phys, uint64_t bytes,
                                                               uint32_t flags, const char *site,
                                                               sluice_iova_t *out);

/**
 * Ends what sluice_dma_map began, with the same bytes and flags.
 * Returns: OK; INVALID, NOT_FOUND (the checking mode found that it is not so; nothing was done);
 * TIMEOUT or HARDWARE (a unit did not confirm: the device may still reach the buffer, which must
 * not be reused; address and bounce memory are withheld).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_unmap(struct sluice_dma *dma,
                                                                 sluice_iova_t address,
                                                                 uint64_t bytes, uint32_t flags,
                                                                 const char *site);

/** What sluice_dma_map gave. */
struct sluice_dma_chunk {
    sluice_iova_t address;
    uint64_t bytes;
};

/**
 * As sluice_dma_unmap for each of `count` mappings, with one invalidation for all of them.
 * Returns: the worst of what sluice_dma_unmap returns for them; INVALID (a pointer is NULL). On
 * TIMEOUT or HARDWARE none of the buffers may be reused.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_unmap_many(struct sluice_dma *dma, const struct sluice_dma_chunk *chunks, unsigned count,
                      uint32_t flags, const char *site);

/**
 * Makes what the device wrote visible to the CPU in a part of a mapping (for SLUICE_DMA_TO_DEVICE
 * there is nothing to do).
 * @param address  where the part begins, in or at the beginning of the mapping
 * Returns: OK; INVALID or NOT_FOUND (checking mode: not inside a mapping; nothing was done).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_sync_for_cpu(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes,
                        uint32_t flags, const char *site);

/** Makes what the CPU wrote visible to the device; else as sluice_dma_sync_for_cpu. Returns: as
 * that. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_sync_for_device(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes,
                           uint32_t flags, const char *site);

/* ---- scatter-gather ---- */

/** A list for the device: the caller's segments in, chunks of device addresses out. */
struct sluice_dma_sg {
    const struct sluice_dma_segment *segments;
    unsigned segment_count;
    struct sluice_dma_chunk *chunks; /**< room for chunk_capacity of them */
    unsigned chunk_capacity;
    unsigned chunk_count; /**< out: chunks, in the order of the segments, without gaps in bytes */
};

/**
 * Maps a list. Segments that follow each other without a gap in device addresses become one chunk,
 * up to segment_bytes and never across boundary_bytes; a longer segment becomes several.
 * Returns: as sluice_dma_map; RANGE also for more than 1,048,576 segments or one of 1 TiB or more;
 * NO_SPACE also when there are more chunks than room (nothing is mapped, and chunk_count says how
 * many there would be, at least).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_map_sg(struct sluice_dma *dma,
                                                                  struct sluice_dma_sg *sg,
                                                                  uint32_t flags, const char *site);

/** Ends it, with the same list and flags. Returns: as sluice_dma_unmap. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_unmap_sg(struct sluice_dma *dma,
                                                                    const struct sluice_dma_sg *sg,
                                                                    uint32_t flags,
                                                                    const char *site);

/** sluice_dma_sync_for_cpu for a whole list. Returns: as that. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_sync_sg_for_cpu(struct sluice_dma *dma, const struct sluice_dma_sg *sg, uint32_t flags,
                           const char *site);

/** sluice_dma_sync_for_device for a whole list. Returns: as that. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_sync_sg_for_device(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                              uint32_t flags, const char *site);

/* ---- device memory of others ---- */

/**
 * Lets the device reach another device's registers or memory (peer to peer). Never bounced, no
 * cache is cleaned; else as sluice_dma_map.
 * Returns: as sluice_dma_map; RANGE also without translation when the device cannot put out that
 * address.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_map_mmio(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes, uint32_t flags,
                    const char *site, sluice_iova_t *out);

/** Ends what sluice_dma_map_mmio began. Returns: as sluice_dma_unmap. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_unmap_mmio(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes, uint32_t flags,
                      const char *site);

/* ---- memory for both ---- */

/** Memory that CPU and device share. The caller keeps this; everything but `hidden` is to read. */
struct sluice_dma_buffer {
    void *virt;            /**< for the CPU */
    sluice_iova_t address; /**< for the device */
    uint64_t bytes;        /**< as asked for */
    void *hidden;
};

/**
 * Allocates zeroed memory that both may use at any time without sync. In a DMA domain it is one
 * range for the device wherever its pages are; for the CPU it is one range by the host's vmap
 * hook, or because the host found one block.
 * @param flags    SLUICE_DMA_WRITE_COMBINE, and a direction when the device needs only one
 * Returns: OK; INVALID; NO_MEMORY; NO_SPACE; RANGE (no memory that the device reaches);
 * UNSUPPORTED (the device does not snoop, and the host has no vmap); TIMEOUT; HARDWARE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_dma_alloc(struct sluice_dma *dma,
                                                                 uint64_t bytes, uint32_t flags,
                                                                 const char *site,
                                                                 struct sluice_dma_buffer *out);

/**
 * Gives it back, when no device reaches it any more: never lazily.
 * Returns: OK; INVALID or NOT_FOUND (checking mode); TIMEOUT or HARDWARE (withheld for good).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_free(struct sluice_dma *dma, struct sluice_dma_buffer *buffer, const char *site);

/* ---- lazy domains, memory ---- */

/**
 * Does the lazy invalidations that are due. A host that has lazy domains calls it from a timer, at
 * the times that its dma_poll_at hook is told, or at least once a window.
 * Returns the time (now_ns) of the next that is pending; UINT64_MAX when none is.
 * Context: any but under a lock of the DMA API's caller; waits for the hardware.
 */
SLUICE_API uint64_t sluice_dma_poll(struct sluice *sluice);

/**
 * Gives up everything cached: lazy invalidations are done, address caches and unused bounce memory
 * go back to the host. For memory pressure. Context: as sluice_dma_poll.
 */
SLUICE_API void sluice_dma_trim(struct sluice *sluice);

/* ---- counters ---- */

/**
 * Live now, and the most there ever were (sampled every 64 mappings of a CPU, and here). While
 * other CPUs map and unmap, it may be less than the truth, not more.
 */
struct sluice_dma_usage {
    uint64_t live, live_most;   /**< mappings, coherent buffers among them */
    uint64_t bytes, bytes_most; /**< in them */
};

/** What one device's DMA API holds and did. */
struct sluice_dma_info {
    const char *name;
    bool translated;            /**< it has IOVAs of its own */
    bool untrusted;             /**< its bounce pages keep neighbours' bytes out of its reach */
    sluice_iova_t last_address; /**< highest it can put out */
    struct sluice_dma_usage usage;
    uint64_t maps, unmaps;
    uint64_t bounced;       /**< mappings that needed bounce memory */
    uint64_t bounced_bytes; /**< copied for them, both ways */
    uint64_t failures;      /**< maps that failed */
    uint64_t misuses;       /**< found by the checking mode */
};

/** Fills in all of *out. Neither may be NULL. Context: any; no lock is taken. */
SLUICE_API void sluice_dma_info(struct sluice_dma *dma, struct sluice_dma_info *out);

/** What the DMA API holds and did in one domain. */
struct sluice_dma_domain_info {
    bool lazy;          /**< now; an untrusted device turns it off */
    uint64_t window_ns; /**< longest until a lazy unmap is complete, with timely polls */
    struct sluice_dma_usage usage;
    uint64_t iova_allocs;         /**< addresses taken */
    uint64_t iova_hits;           /**< of those, from this CPU's own cache */
    uint64_t iova_metadata_bytes; /**< memory that the address allocator holds */
    uint64_t strict_flushes;      /**< invalidations that an unmap waited for */
    uint64_t lazy_flushes;        /**< invalidations for a queue */
    uint64_t queued;              /**< ranges that wait for one now */
    uint64_t withheld_bytes;      /**< of addresses that were never confirmed: not used again */
};

/** Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (the DMA API is not open in this domain). */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_domain_info(struct sluice_domain *domain, struct sluice_dma_domain_info *out);

/** Bounce memory of the whole instance. */
struct sluice_dma_bounce_info {
    uint64_t limit_bytes;    /**< sluice_config.bounce_limit_bytes */
    uint64_t bytes;          /**< held now */
    uint64_t used_bytes;     /**< of those, in mappings; whole pages */
    uint64_t used_most;      /**< the most there ever were */
    uint64_t exhausted;      /**< requests that found none */
    uint64_t withheld_bytes; /**< a device may still reach them */
};

/** Fills in all of *out. Neither may be NULL. Context: any thread. */
SLUICE_API void sluice_dma_bounce_info(struct sluice *sluice, struct sluice_dma_bounce_info *out);

/* ---- the checking mode (sluice_config.check_dma, sluice_dma_config.check) ---- */

enum sluice_dma_misuse_kind {
    SLUICE_DMA_UNMAP_TWICE = 0, /**< was mapped once, and unmapped since */
    SLUICE_DMA_UNMAP_UNKNOWN,   /**< was never mapped, as far as is remembered */
    SLUICE_DMA_WRONG_SIZE,      /**< unmapped with another size */
    SLUICE_DMA_WRONG_DIRECTION, /**< unmapped or synchronised with another direction */
    SLUICE_DMA_WRONG_KIND,      /**< unmapped as a list, buffer or device memory, and is another */
    SLUICE_DMA_SYNC_UNKNOWN,    /**< synchronised what is not mapped */
    SLUICE_DMA_SYNC_OUTSIDE,    /**< synchronised beyond a mapping's end */
    SLUICE_DMA_USE_AFTER_UNMAP, /**< a device used an address that was unmapped: from its fault */
    SLUICE_DMA_USE_BEYOND,      /**< a device ran over the end of a mapping: from its fault */
    SLUICE_DMA_USE_WRONG_WAY,   /**< a device wrote what is mapped to be read, or the reverse */
    SLUICE_DMA_LEAK,            /**< still mapped when the device was closed */
    SLUICE_DMA_MISUSE_KIND_COUNT
};

/** What the checking mode found. */
struct sluice_dma_misuse {
    enum sluice_dma_misuse_kind kind;
    const char *device; /**< "0000:00:03.0 'nic'": whose mapping it is or was, or who called */
    sluice_iova_t address;
    uint64_t bytes; /**< as given by the caller; of a fault 0 */
    uint32_t flags;
    const char *site; /**< of the call that is wrong; may be NULL */
    /** The mapping it is about, if known: mapped_bytes is 0 when it is not. */
    sluice_iova_t mapped_address;
    uint64_t mapped_bytes;
    uint32_t mapped_flags;
    const char *mapped_site;
    const char *unmapped_site;
    uint64_t age_ns; /**< since it was unmapped; of a live one since it was mapped */
};

/** Takes a report; `misuse` lives during the call. Context: that of the call, or of the fault. */
typedef void sluice_dma_misuse_handler(void *arg, const struct sluice_dma_misuse *misuse);

/**
 * Writes one line for people. Always terminated when bytes > 0.
 * Returns the length that the whole line has.
 */
SLUICE_API size_t sluice_dma_misuse_text(const struct sluice_dma_misuse *misuse, char *buffer,
                                         size_t bytes);

/**
 * What the checking mode knows about a fault's address: unmapped a moment ago, next to a mapping,
 * or mapped for the other direction. Faults that are delivered are looked at by themselves; this
 * is for those that come another way.
 * Context: any.
 * Returns: OK (*out holds for the instance's life); INVALID (a pointer is NULL); NOT_FOUND (nothing
 * known, or not checking).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_dma_explain_fault(struct sluice *sluice, const struct sluice_fault *fault,
                         struct sluice_dma_misuse *out);

#ifdef __cplusplus
}
#endif

#endif
