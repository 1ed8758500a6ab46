// SPDX-License-Identifier: MIT
/*
 * The host contract: what a port gives Sluice.
 *
 * One table of hooks and one context pointer, no link-time symbols, so that two instances and a
 * simulated machine live in one process. Hooks come in tiers; a host that only decodes tables
 * fills in the first, one that drives units the first two, one that serves faults and interrupts
 * all three. A hook may be NULL only where its comment says so, and says what is lost then.
 *
 * Context of every hook unless it says otherwise: called with Sluice's spin locks possibly held
 * and interrupts possibly disabled, so it must not sleep and must not call back into Sluice.
 */
#ifndef SLUICE_HOST_H
#define SLUICE_HOST_H

#include <sluice/platform.h>
#include <sluice/status.h>
#include <sluice/types.h>

enum sluice_log_level {
    SLUICE_LOG_ERROR = 0, /**< protection is lost, refused or in doubt */
    SLUICE_LOG_WARNING,   /**< firmware or hardware is odd; Sluice coped */
    SLUICE_LOG_INFO,      /**< what was found and what was turned on; a few lines a unit */
    SLUICE_LOG_DEBUG,     /**< every attach, switch and recovery */
};

/** Pages as the host hands them out: one block, its size's alignment, both addresses. */
struct sluice_pages {
    void *virt;         /**< where the library reads and writes them */
    sluice_phys_t phys; /**< where the unit reads them */
};

/** What kind of pages are wanted. */
struct sluice_page_request {
    unsigned order; /**< the block is 4096 << order bytes, aligned to that */
    int node;       /**< NUMA node preferred, or -1 */
    bool below_4g;  /**< the physical address must fit in 32 bits */
    /**
     * Highest physical address, inclusive, that is of use; 0: any. Only for bounce and coherent
     * memory of devices that reach no further. A host that cannot look for such pages may ignore
     * it: pages beyond are given back and the call fails.
     */
    sluice_phys_t last;
};

/** How the CPU sees memory that a device shares. */
enum sluice_cache_mode {
    SLUICE_CACHE_NORMAL = 0,    /**< cached; for devices that snoop */
    SLUICE_CACHE_WRITE_COMBINE, /**< not cached, writes combined */
    SLUICE_CACHE_OFF,           /**< not cached */
};

/** Pages to be seen as one range by the CPU. */
struct sluice_vmap_request {
    const sluice_phys_t *pages; /**< of SLUICE_PAGE_BYTES each, in order */
    size_t count;
    enum sluice_cache_mode mode;
};

/** An MSI as a unit's event registers want it. */
struct sluice_msi {
    uint64_t address;
    uint32_t data;
};

/** Where a unit's own event interrupt is to be delivered: the host calls handler(arg). */
struct sluice_event_handler {
    void (*handler)(void *arg); /**< may be called in interrupt context; never sleeps */
    void *arg;
    /**
     * The unit's wired interrupts, as firmware numbers them (GSIV, or what the host described the
     * unit with); 0 for none. A unit that has them works with a message or with its wires.
     */
    uint32_t wires[SLUICE_UNIT_WIRES_MAX];
    /** It sends no messages: a host that cannot connect its wires returns false. */
    bool wires_only;
};

struct sluice_host_ops {
    /* ---- tier "parse" ---- */

    /**
     * Takes one line of log, without a newline, valid only during the call.
     * Context: any, interrupts too. May be NULL: nothing is logged.
     */
    void (*log)(void *ctx, enum sluice_log_level level, const char *line);

    /* ---- tier "drive" ---- */

    /** Returns `bytes` bytes of zeroed memory aligned to 16, or NULL. Context: see above. */
    void *(*alloc)(void *ctx, size_t bytes);
    /** Takes back what alloc gave; `bytes` is what was asked for. */
    void (*free)(void *ctx, void *memory, size_t bytes);

    /** Returns zeroed pages in *out; false when there are none. */
    bool (*pages_alloc)(void *ctx, const struct sluice_page_request *request,
                        struct sluice_pages *out);
    /** Takes back what pages_alloc gave, with the same order. */
    void (*pages_free)(void *ctx, struct sluice_pages pages, unsigned order);

    /**
     * The virtual address of a physical address that came from pages_alloc, or in a buffer that a
     * driver gave to the DMA API. May be NULL when sluice_config.linear_map is set, which is much
     * faster: page-table walks call this once a level.
     */
    void *(*phys_to_virt)(void *ctx, sluice_phys_t phys);

    /**
     * Writes `bytes` at `virt` back from CPU caches to memory and waits until that is done. Called
     * only for units that do not snoop. NULL: such units are refused.
     */
    void (*cache_clean)(void *ctx, const void *virt, size_t bytes);

    /**
     * Throws what CPU caches hold of [virt, virt + bytes) away, writing back what lines at the ends
     * hold of others. Called only for devices that do not snoop, and for queues that a unit which
     * does not snoop writes. NULL: the DMA API refuses such devices, and such units are refused.
     */
    void (*cache_invalidate)(void *ctx, void *virt, size_t bytes);

    /**
     * Makes pages appear as one range, in the cache mode asked for; NULL when it cannot. May be
     * left out: then the DMA API's coherent memory is always one block of pages_alloc, and devices
     * that do not snoop get none.
     */
    void *(*vmap)(void *ctx, const struct sluice_vmap_request *request);
    void (*vunmap)(void *ctx, void *virt, size_t count);

    /** Makes device registers reachable; *out_handle is passed back to the accessors. May sleep. */
    bool (*mmio_map)(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out_handle);
    void (*mmio_unmap)(void *ctx, void *handle, uint64_t bytes);
    /** Single accesses of exactly this width, in program order. */
    uint32_t (*mmio_read32)(void *ctx, void *handle, uint64_t offset);
    uint64_t (*mmio_read64)(void *ctx, void *handle, uint64_t offset);
    void (*mmio_write32)(void *ctx, void *handle, uint64_t offset, uint32_t value);
    void (*mmio_write64)(void *ctx, void *handle, uint64_t offset, uint64_t value);
    /** The same of 8 and 16 bits. NULL: virtio-iommu units are refused; nothing else has such. */
    uint8_t (*mmio_read8)(void *ctx, void *handle, uint64_t offset);
    uint16_t (*mmio_read16)(void *ctx, void *handle, uint64_t offset);
    void (*mmio_write8)(void *ctx, void *handle, uint64_t offset, uint8_t value);
    void (*mmio_write16)(void *ctx, void *handle, uint64_t offset, uint16_t value);

    /**
     * PCI configuration space; width is 1, 2 or 4 bytes, offset aligned to it. A read from where
     * no device answers gives all ones. NULL: table scopes with paths through bridges cannot be
     * followed, and are reported.
     */
    uint32_t (*pci_read)(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset,
                         unsigned width);
    void (*pci_write)(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width,
                      uint32_t value);

    /** Nanoseconds since some fixed point; never goes back. Every hardware deadline uses it. */
    uint64_t (*now_ns)(void *ctx);
    /** Busy-waits about this long. May be NULL: Sluice spins with sluice_cpu_pause(). */
    void (*stall_ns)(void *ctx, uint64_t ns);

    /** How many CPUs may call Sluice; read once at create. NULL: one. */
    unsigned (*cpu_count)(void *ctx);

    /**
     * RAM extents, for identity maps on units that cannot pass transactions through: the index-th
     * extent, [*out_first, *out_last]; false past the end. NULL: the whole physical address space
     * is mapped where 1 GiB pages make that affordable, else identity is refused there.
     */
    bool (*memory_extent)(void *ctx, unsigned index, sluice_phys_t *out_first,
                          sluice_phys_t *out_last);

    /**
     * Doorbells: where interrupt messages of devices go, as pages of an ITS's GITS_TRANSLATER or of
     * IMSIC interrupt files; the index-th range, [*out_first, *out_last]; false past the last.
     * Units that translate messages as they do any write (SMMUv3, RISC-V, virtio) get them mapped
     * one to one, for writing, into every domain that a device is attached to: program devices with
     * the physical address. Ranges are whole pages. A level above basic that rests on the interrupt
     * controller (sluice_describe_message_senders) is not given where anything else is named than
     * doorbells of controllers that know messages by their sender. NULL: behind such units devices
     * raise no interrupts. Where a RISC-V unit remaps interrupts nothing is mapped, and these pages
     * are the destinations of routes, numbered from 0 on over all ranges: name every file that the
     * host wants to route to.
     */
    bool (*doorbell_extent)(void *ctx, unsigned index, sluice_phys_t *out_first,
                            sluice_phys_t *out_last);

    /* ---- tier "serve" ---- */

    /**
     * Installs a unit's own event interrupt (faults, page requests) and returns the message that
     * raises it. The message must not pass through that unit's own interrupt remapping. The handler
     * may be called as soon as this returns; `handler` is valid only during the call, so the host
     * copies what it points at. A host that connects the handler to the unit's wires instead leaves
     * out_msi->address 0. NULL or false: events are only seen by polling (sluice_fault_poll).
     * May sleep.
     */
    bool (*event_install)(void *ctx, const char *unit, const struct sluice_event_handler *handler,
                          struct sluice_msi *out_msi, void **out_handle);
    /** Removes it; on return the handler is not running and never will. May sleep. */
    void (*event_remove)(void *ctx, void *handle);

    /**
     * Wants sluice_dma_poll() to be called at this time (now_ns) or soon after; later calls replace
     * earlier ones only by earlier times. Called from unmaps of lazy domains, a few times a window.
     * NULL: the host calls sluice_dma_poll() regularly by itself, or lazy invalidations wait until
     * a queue is full.
     */
    void (*dma_poll_at)(void *ctx, uint64_t time_ns);

    /**
     * Resets a PCI function in a way of the host's own, and waits until it can be used again.
     * False, or NULL: the host has no way; the library does a function level reset, where the
     * function has one. May sleep.
     */
    bool (*device_reset)(void *ctx, uint16_t segment, uint16_t rid);

    /**
     * Calls work(arg) soon, once, outside interrupt context and with no lock of Sluice held. NULL
     * or false: faults are acted on at the next sluice_fault_poll().
     */
    bool (*defer)(void *ctx, void (*work)(void *arg), void *arg);

    /**
     * Wants sluice_fault_poll() to be called at this time (now_ns) or soon after; later calls
     * replace earlier ones only by earlier times. Called from interrupts too, at most a few times
     * for each window that sluice/quarantine.h names. NULL: the host calls sluice_fault_poll()
     * regularly by itself, or a silence ends, and a summary of faults comes, only with the next
     * fault, and a storm of faults takes as much time as it can.
     */
    void (*fault_poll_at)(void *ctx, uint64_t time_ns);
};

#endif
