// SPDX-License-Identifier: MIT
/*
 * The inside of the simulated host, shared by the files that make it up: host.c (hooks, log,
 * violations, time), host_memory.c, host_view.c (memory as hardware sees it), host_io.c (registers
 * and interrupts), host_pci.c.
 */
#ifndef MODELS_HOST_INTERNAL_H
#define MODELS_HOST_INTERNAL_H

#include "models/host.h"

#include <pthread.h>
#include <stdatomic.h>

#define VIOLATIONS_KEPT      64u
#define VIOLATION_TEXT_BYTES 200u
#define LOG_KEPT_BYTES       ((size_t)256 * 1024)
#define TICKS_MAX            8u
#define PCI_CONFIG_BYTES     4096u

enum page_state {
    PAGE_FREE = 0,
    PAGE_RESERVED, /**< firmware's, never handed out */
    PAGE_LIBRARY,  /**< first page of a block the library holds */
    PAGE_TEST,     /**< first page of a block a test holds */
    PAGE_TAIL,     /**< further pages of a block */
};

struct extent {
    sluice_phys_t base;
    uint64_t bytes;
    uint8_t *virt;
    uint8_t *shadow;      /**< memory behind caches or write buffers; NULL: the same */
    int file;             /**< what `virt` maps, so that vmap can map it again */
    int shadow_file;      /**< likewise, where caches are not snooped */
    uint8_t *state;       /**< enum page_state a page; atomic accesses */
    uint8_t *order;       /**< of the block that begins here */
    uint64_t first_maybe; /**< no page below this index is free */
};

struct mmio_region {
    struct mmio_region *next;
    sluice_phys_t base;
    uint64_t bytes;
    const struct model_mmio_ops *ops;
    void *arg;
};

struct object_head;

struct mmio_map {
    struct mmio_map *next;
    struct mmio_map *prev;
    struct mmio_region *region;
    uint64_t offset;
    uint64_t bytes;
};

struct event {
    struct event *next;
    struct sluice_event_handler handler;
    struct sluice_msi msi;
    unsigned pending;
    unsigned running;
};

struct deferred {
    struct deferred *next;
    void (*work)(void *arg);
    void *arg;
};

struct model_pci_function {
    struct model_pci_function *next;
    uint16_t segment;
    uint16_t rid;
    bool removed;
    uint8_t last_capability; /**< offset; 0: none */
    uint16_t capability_end;
    uint16_t last_extended; /**< offset; 0: none */
    uint16_t extended_end;
    uint16_t fixed_at;   /**< of a register of two bytes; 0: none */
    uint16_t fixed_bits; /**< its bits that do not change when written */
    uint8_t config[PCI_CONFIG_BYTES];
};

struct model_host {
    struct sluice_host_ops ops;
    struct model_host_config config;
    pthread_mutex_t lock; /**< guards everything below but atomics and memory contents */
    pthread_cond_t event_done;

    struct extent extents[MODEL_EXTENTS_MAX];
    unsigned extent_count;
    void *reservation; /**< the linear span; NULL when not linear */
    size_t reservation_bytes;
    uintptr_t linear_base;
    bool writes_buffered;
    atomic_bool devices_behind; /**< devices' DMA does not see CPU caches */
    unsigned vmaps;
    atomic_uint_fast64_t poll_at_ns;

    uint64_t pages_in_use;
    uint64_t objects_in_use;
    struct object_head *objects; /**< those in use */
    uint64_t allocations;
    uint64_t fail_at; /**< index of the allocation that fails; UINT64_MAX: none */
    bool fail_all_after;
    bool fail_mmio_map;
    bool fail_event_install;

    struct mmio_region *regions;
    unsigned mmio_maps;
    struct mmio_map *maps; /**< those in use */
    model_mmio_hook *hook;
    void *hook_arg;

    atomic_uint_fast64_t clock_ns;
    void (*ticks[TICKS_MAX])(void *arg);
    void *tick_args[TICKS_MAX];
    unsigned tick_count;

    struct event *events;
    unsigned events_made;
    unsigned stray_msis;
    struct deferred *deferred;

    struct model_pci_function *functions;

    unsigned violations;
    char violation_text[VIOLATIONS_KEPT][VIOLATION_TEXT_BYTES];
    unsigned log_counts[MODEL_LOG_LEVELS];
    char *log;
    size_t log_used;
};

/** calloc that never fails. */
void *model_zalloc(size_t bytes);

void host_memory_init(struct model_host *host);
void host_memory_check_free(struct model_host *host);
void host_memory_release(struct model_host *host);
struct extent *host_extent_of(struct model_host *host, sluice_phys_t phys);
/** Counts an allocation; true when it is to fail. Caller holds the lock. */
bool host_allocation_fails_locked(struct model_host *host);

void host_io_release(struct model_host *host);
void host_pci_release(struct model_host *host);

/* The hooks themselves. */
bool host_pages_alloc(void *ctx, const struct sluice_page_request *request,
                      struct sluice_pages *out);
void host_pages_free(void *ctx, struct sluice_pages pages, unsigned order);
void *host_phys_to_virt(void *ctx, sluice_phys_t phys);
void host_cache_clean(void *ctx, const void *virt, size_t bytes);
void host_cache_invalidate(void *ctx, void *virt, size_t bytes);
void *host_vmap(void *ctx, const struct sluice_vmap_request *request);
void host_vunmap(void *ctx, void *virt, size_t count);
bool host_memory_extent(void *ctx, unsigned index, sluice_phys_t *out_first,
                        sluice_phys_t *out_last);
bool host_mmio_map(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out_handle);
void host_mmio_unmap(void *ctx, void *handle, uint64_t bytes);
uint32_t host_mmio_read32(void *ctx, void *handle, uint64_t offset);
uint64_t host_mmio_read64(void *ctx, void *handle, uint64_t offset);
void host_mmio_write32(void *ctx, void *handle, uint64_t offset, uint32_t value);
void host_mmio_write64(void *ctx, void *handle, uint64_t offset, uint64_t value);
uint8_t host_mmio_read8(void *ctx, void *handle, uint64_t offset);
uint16_t host_mmio_read16(void *ctx, void *handle, uint64_t offset);
void host_mmio_write8(void *ctx, void *handle, uint64_t offset, uint8_t value);
void host_mmio_write16(void *ctx, void *handle, uint64_t offset, uint16_t value);
uint32_t host_pci_read(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width);
void host_pci_write(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width,
                    uint32_t value);
bool host_event_install(void *ctx, const char *unit, const struct sluice_event_handler *handler,
                        struct sluice_msi *out_msi, void **out_handle);
void host_event_remove(void *ctx, void *handle);
bool host_defer(void *ctx, void (*work)(void *arg), void *arg);

#endif
