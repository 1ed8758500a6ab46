// SPDX-License-Identifier: MIT
/*
 * The instance as every folder sees it, and thin wrappers for the host's hooks.
 *
 * Owns nothing by itself; src/instance creates and ties it together.
 */
#ifndef SLUICE_CORE_INSTANCE_H
#define SLUICE_CORE_INSTANCE_H

#include "core/list.h"
#include "core/log.h"
#include "firmware/platform.h"

#include <stdatomic.h>

#include <sluice/cpu.h>
#include <sluice/instance.h>

enum instance_state {
    INSTANCE_STOPPED = 0, /**< tables may be added */
    /**
     * Somebody is in start, stop, suspend or resume, without the lock, because hooks may sleep
     * there. Everybody else is refused or waits, so what the lock guards is that caller's.
     */
    INSTANCE_CHANGING,
    INSTANCE_STARTED,
    INSTANCE_SUSPENDED,
    INSTANCE_HALF_RESUMED, /**< a unit did not wake up: what lets go may be called, and resume */
    INSTANCE_HALF_STOPPED, /**< a unit did not turn off: only stop may be called */
    INSTANCE_DISABLED,     /**< "started" at level disabled: units are not even probed */
};

struct dma_context;
struct domain_policy;
struct fault_center;
struct group_map;
struct sluice;
typedef void instance_fault_observer(struct sluice *sluice, const struct sluice_fault *fault);

#define SOURCE_BUCKETS 64u /**< hash of (unit, source ID); power of two */

/** A port that leads outside; see sluice_port_set_external. */
struct external_port {
    struct list_node node; /**< in sluice->external_ports */
    uint16_t segment;
    uint16_t rid;
};

/** What faults may take of a CPU's time; see src/unit/storm.c. */
struct fault_budget {
    struct sluice_spinlock lock; /**< guards the next two; nothing is taken under it */
    uint64_t seen_ns;            /**< up to when time has been earned */
    int64_t credit_ns;
    atomic_uint_fast64_t holds;    /**< times that a unit was held back */
    atomic_uint_fast64_t asked_ns; /**< when the host was asked to poll */
};

struct sluice {
    const struct sluice_host_ops *ops;
    struct sluice_config config; /**< with defaults filled in */
    enum instance_state state;   /**< guarded by `lock` */
    atomic_uint log_level_set;   /**< 1 + enum sluice_log_level; 0: as in `config` */
    unsigned cpu_count;
    atomic_uint pollers; /**< in sluice_fault_poll now; raised under `lock` in a started state */

    /**
     * Guards everything that changes rarely: state, units, sources, devices, domains' lists,
     * attachments. Held across the hardware waits of an attach. The fast path never takes it.
     */
    struct sluice_spinlock lock;

    struct platform platform;                 /**< what the firmware described */
    struct list_node units;                   /**< struct unit.node */
    struct list_node devices;                 /**< struct sluice_device.node */
    struct list_node domains;                 /**< struct sluice_domain.node */
    struct list_node sources[SOURCE_BUCKETS]; /**< struct source.node */
    struct list_node interrupts;              /**< struct interrupt_block.node */

    enum sluice_protection level; /**< promised; not DEFAULT. Guarded by `lock` */
    bool host_asked_remapping;    /**< sluice_config.interrupts as the host gave it */
    /** Who is isolated from whom, and what that forbids; owned by src/group. */
    const struct domain_policy *policy; /**< set once, by create */
    struct list_node external_ports;    /**< struct external_port.node */
    struct group_map *groups;           /**< NULL: not looked at */
    void *chipset;       /**< its registers, mapped; NULL: none; owned by src/pci/chipset.c */
    bool chipset_closed; /**< its root ports pass nothing on to each other */

    /** Decided by start, before any unit is started; guarded as `state` is. */
    bool remaps_interrupts;
    bool x2apic; /**< destinations have 32 bits */

    /** The DMA API's part of the instance, made when it is first opened; owned by src/dma. */
    _Atomic(struct dma_context *) dma;
    /** Sees every delivered fault before the host does; set once, with release. */
    _Atomic(instance_fault_observer *) fault_observer;
    /** Counts, logs and acts on them; owned by src/fault. Both set once, by create. */
    instance_fault_observer *fault_sink;
    struct fault_center *faults;
    struct fault_budget fault_budget;
    const struct domain_policy *fault_policy; /**< of device_added alone */

    /** Pages that a unit might still reach: never freed, only counted (invariant 1). */
    atomic_uint_fast64_t withheld_pages;
};

/**
 * Whether units, sources, devices, domains and groups can be looked at: from start until stop, also
 * while suspended, or after a resume or stop that a unit did not take. Not while one caller changes
 * them without the lock, and not at level disabled, which has none. With `lock` held.
 */
static inline bool instance_is_listed(const struct sluice *sluice)
{
    return sluice->state == INSTANCE_STARTED || sluice->state == INSTANCE_SUSPENDED ||
           sluice->state == INSTANCE_HALF_RESUMED || sluice->state == INSTANCE_HALF_STOPPED;
}

/**
 * Whether devices may be detached and removed, interrupt entries freed, assignments ended: all that
 * has to be done before a stop, which must be possible also when a unit did not wake up. With
 * `lock` held.
 */
static inline bool instance_lets_go(const struct sluice *sluice)
{
    return sluice->state == INSTANCE_STARTED || sluice->state == INSTANCE_HALF_RESUMED;
}

static inline void *host_alloc(struct sluice *sluice, size_t bytes)
{
    return sluice->ops->alloc(sluice->config.ctx, bytes);
}

static inline void host_free(struct sluice *sluice, void *memory, size_t bytes)
{
    if (memory != NULL)
        sluice->ops->free(sluice->config.ctx, memory, bytes);
}

/** Zeroed pages; false when there are none. `node` -1 is "anywhere". */
static inline bool host_pages_alloc(struct sluice *sluice, unsigned order, int node,
                                    struct sluice_pages *out)
{
    const struct sluice_page_request request = {.order = order, .node = node};

    return sluice->ops->pages_alloc(sluice->config.ctx, &request, out);
}

static inline void host_pages_free(struct sluice *sluice, struct sluice_pages pages, unsigned order)
{
    if (pages.virt != NULL)
        sluice->ops->pages_free(sluice->config.ctx, pages, order);
}

static inline void *host_phys_to_virt(struct sluice *sluice, sluice_phys_t phys)
{
    if (sluice->config.linear_map)
        return (void *)((uintptr_t)phys + sluice->config.linear_base);
    return sluice->ops->phys_to_virt(sluice->config.ctx, phys);
}

/** Writes caches back for a unit that does not snoop; the caller checks that it doesn't. */
static inline void host_cache_clean(struct sluice *sluice, const void *virt, size_t bytes)
{
    sluice->ops->cache_clean(sluice->config.ctx, virt, bytes);
}

static inline uint64_t host_now_ns(struct sluice *sluice)
{
    return sluice->ops->now_ns(sluice->config.ctx);
}

/** One turn of a bounded wait. */
static inline void host_relax(struct sluice *sluice)
{
    if (sluice->ops->stall_ns != NULL)
        sluice->ops->stall_ns(sluice->config.ctx, 100);
    else
        sluice_cpu_pause();
}

/** When a wait that begins now has to give up. */
static inline uint64_t host_deadline_ns(struct sluice *sluice)
{
    return host_now_ns(sluice) + sluice->config.hardware_timeout_ns;
}

#endif
