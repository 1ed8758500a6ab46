// SPDX-License-Identifier: MIT
/*
 * The instance: created with a host, fed with firmware tables, started, stopped, destroyed.
 *
 *     create -> add_table ... -> start -> [devices, domains, DMA] -> stop -> destroy
 *                                 |  ^
 *                           suspend  resume
 *
 * There is a way to the end from everywhere, whatever the hardware does: a resume that failed can
 * be tried again or followed by stop, and a stop that failed can be tried again or followed by
 * destroy. What a unit did not confirm that it let go of is never freed then; it is counted
 * (sluice_unit_info.withheld_pages), and destroy logs the sum.
 *
 * Everything hangs off the instance; any number of them live in one process, and the library has
 * no other state.
 *
 * Context of everything here, unless a function says otherwise: any thread; it takes the instance's
 * own locks, does not sleep, and must not be called from an interrupt handler.
 */
#ifndef SLUICE_INSTANCE_H
#define SLUICE_INSTANCE_H

#include <sluice/dma.h>
#include <sluice/fault.h>
#include <sluice/group.h>
#include <sluice/host.h>
#include <sluice/interrupt.h>
#include <sluice/protection.h>
#include <sluice/quarantine.h>
#include <sluice/selftest.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;

/** sluice_config.fault_lines: faults are not logged. */
#define SLUICE_NO_FAULT_LINES UINT32_MAX
/** sluice_config.unmap_history: unmaps are not remembered. */
#define SLUICE_NO_HISTORY UINT32_MAX

/** How an instance behaves; zero in every optional field is the recommended value. */
struct sluice_config {
    const struct sluice_host_ops *ops; /**< not copied: must live as long as the instance */
    void *ctx;                         /**< handed to every hook */
    enum sluice_log_level log_level;   /**< see sluice_set_log_level */

    /**
     * Set when every page that pages_alloc gives lies at virtual address phys + linear_base
     * (modulo the address width), as in a kernel with a direct map.
     */
    bool linear_map;
    uintptr_t linear_base;

    /** Called for every fault that is drained, from the draining context; may be NULL. */
    sluice_fault_handler *on_fault;
    void *on_fault_arg;

    /** Faults of a device within the window that are too many; 0 is 10 (sluice/quarantine.h). */
    uint32_t max_faults;
    uint64_t fault_window_ns; /**< 0 is ten seconds */
    /** Faults of a source within flood_window_ns that are a flood (sluice/quarantine.h); 0 is 1000,
     * SLUICE_FAULTS_UNLIMITED never. */
    uint32_t flood_faults;
    uint64_t flood_window_ns; /**< 0 is one second */
    uint64_t silence_ns; /**< how long a flooding source is not listened to; 0 is ten seconds */
    /**
     * Percent of one CPU's time that faults may take, over all units, at most, and one look at a
     * unit's log beyond it; 0 is 10. Where it is used up the units' event interrupts are left
     * unanswered until a poll, at a time that is asked for (sluice_host_ops.fault_poll_at, without
     * which there is no limit); what units record meanwhile beyond the size of their logs they
     * lose, and say so. What the host spends in sluice_fault_poll() counts, and is never refused.
     * 100 or more: no limit.
     */
    uint32_t fault_share;
    /** Lines of the log (warnings) that a source has in a window, at most 8; what is more is
     * counted in one line at its end. 0 is 5; SLUICE_NO_FAULT_LINES: none. */
    uint32_t fault_lines;
    uint64_t fault_lines_window_ns; /**< 0 is ten seconds */
    uint32_t fault_log_records;     /**< that readers may be behind; rounded up to 2^n; 0 is 256 */
    /**
     * How many unmaps are remembered, so that a fault can say when its address was unmapped: as
     * many of each domain, and in a lazy one of each CPU besides. Rounded up to 2^n; 0 is 1024,
     * of 24 bytes each a domain and 8 a CPU; SLUICE_NO_HISTORY: none.
     */
    uint32_t unmap_history;
    sluice_quarantine_handler *on_quarantine; /**< may be NULL */
    void *on_quarantine_arg;

    /** Longest wait for one answer of the hardware; 0 is one second. */
    uint64_t hardware_timeout_ns;

    /** Most bounce memory that the DMA API takes, in bytes; 0 is 64 MiB. */
    uint64_t bounce_limit_bytes;

    /**
     * The DMA API's checking mode: every mapping is remembered, so that wrong unmaps and syncs are
     * refused and reported, leaks named, and a fault's address explained. Costs a lock and a table
     * entry a mapping: for test systems.
     */
    bool check_dma;
    sluice_dma_misuse_handler *on_dma_misuse; /**< beside the log; may be NULL */
    void *on_dma_misuse_arg;

    /** Whether interrupts are remapped, and how destinations are numbered (sluice/interrupt.h). */
    enum sluice_interrupt_mode interrupts;
    enum sluice_x2apic_mode x2apic;
    /**
     * Most interrupt entries of one unit; 0 is 65536, of 16 bytes each, or what memory allows. An
     * AMD-Vi unit has them in tables for each requester, which grow as they are needed; this limits
     * all tables together, and 0 does not.
     */
    uint32_t interrupt_entries;

    /** What the instance promises for every device; see sluice/protection.h. */
    enum sluice_protection protection;
    /**
     * Level strict is given only while every unit has passed a self-test, with no step left out:
     * start below it, test, and raise it (sluice/selftest.h).
     */
    bool require_selftest;
    /** Gets each thing that keeps a level from being given, beside the log; may be NULL. */
    sluice_obstacle_handler *on_obstacle;
    void *on_obstacle_arg;
    /**
     * Leave access control (ACS) of ports and functions as firmware set it, instead of turning it
     * on. Groups are as large then as what is off makes them. For hosts that want their devices to
     * talk to each other past the IOMMU.
     */
    bool keep_acs;

    /**
     * log2 of the smallest page that tables shall have, for units that walk several kinds: 12, 14
     * or 16 on Arm. 0, or what a unit does not have: its smallest. Mappings are multiples of it.
     */
    unsigned page_lg2;

    /** Use register-based invalidation where a unit has it, instead of its queue. For tests. */
    bool avoid_queues;
};

/**
 * Creates an instance. Nothing is touched but memory.
 * @param config   copied, except for `ops` and `ctx`
 * @param out      the instance, owned by the caller until sluice_destroy
 * Context: may be called before the scheduler runs.
 * Returns: OK; INVALID (a hook of tiers parse/drive that has no fallback is missing); NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_create(const struct sluice_config *config,
                                                              struct sluice **out);

/**
 * From now on lines up to this level are handed to the host's `log`; those above are not even
 * formatted. Context: any.
 */
SLUICE_API void sluice_set_log_level(struct sluice *sluice, enum sluice_log_level level);

/**
 * Frees a stopped instance, or one of which a unit did not turn off (sluice_stop returned TIMEOUT
 * or HARDWARE): pages that such a unit may still reach are never given back to the host, and their
 * number is logged as an error.
 * Returns: OK; BUSY (it is started or suspended, the DMA API is open for a device without an IOMMU,
 * somebody is subscribed to faults, or the host's `defer` still owes a call: nothing was freed).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_destroy(struct sluice *sluice);

/**
 * Reads one ACPI table (APIC for ITSs of Arm's GIC, DMAR, IORT, IVRS, MCFG, RIMT, VIOT; others are
 * ignored with OK) into the platform description. Hosts without such tables use sluice/platform.h.
 * A wrong checksum is logged and the table used all the same, as firmware that gets only that
 * wrong is better than no protection.
 * The table is copied, so the caller may unmap it. It is checked whole before anything is kept.
 * @param bytes    how many bytes are readable at `table`; the table's own length must fit
 * Returns: OK; INVALID (a pointer is NULL); STATE (already started); FIRMWARE (malformed: the log
 * names table and offset, nothing was kept); EXISTS (a table of this signature was added before);
 * NO_MEMORY.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_add_table(struct sluice *sluice,
                                                                 const void *table, size_t bytes);

/**
 * Finds the RSDP's XSDT or RSDT and adds every table this build understands.
 * @param rsdp     36 readable bytes (20 for revision 0)
 * @param map      gives a virtual address for `bytes` bytes at a physical one, NULL on failure
 * @param unmap    takes it back; may be NULL
 * Returns: as sluice_add_table; NOT_FOUND when no table describes a unit.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_add_acpi(struct sluice *sluice, const void *rsdp,
                const void *(*map)(void *ctx, sluice_phys_t phys, size_t bytes),
                void (*unmap)(void *ctx, const void *virt, size_t bytes));

/**
 * Turns protection on: every unit found is probed, devices with reserved regions get them mapped,
 * every other device is blocked, and translation is enabled. All units or none: on an error the
 * units that were already started are stopped again.
 * Context: may sleep in mmio_map and event_install.
 * Returns: OK; INVALID (a pointer is NULL); STATE (started before); NOT_FOUND (no unit is
 * described); FIRMWARE; NO_MEMORY; UNSUPPORTED (also: interrupts are to be remapped, and firmware
 * or a unit does not have it; the protection level asked for cannot be given); BUSY (DMA without an
 * IOMMU, which the level forbids); HARDWARE; TIMEOUT. The log names the unit and what was wrong.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_start(struct sluice *sluice);

/**
 * Turns every unit off and frees all domains and devices: their pointers are invalid after OK.
 * Devices should be quiet by then: afterwards they reach all of memory, as before start.
 * Interrupts are no longer remapped either: what devices are programmed with must be again.
 * A suspended instance is stopped without being woken, if no device is attached.
 * Returns: OK; INVALID (a pointer is NULL); STATE (not started); BUSY (a device is attached to a
 * domain, or interrupt entries are allocated: detach and free them first, which needs a resume
 * where it is suspended); TIMEOUT or HARDWARE (a unit did not turn off; nothing was freed, and only
 * stop may be called again, or destroy: until then every other call is refused with STATE).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_stop(struct sluice *sluice);

/**
 * Before the platform sleeps: saves what the hardware will lose. Devices must be quiet, and nothing
 * may be mapped or unmapped until resume.
 * Returns: OK; INVALID (a pointer is NULL); STATE; BUSY (a device is being tested,
 * sluice/selftest.h); TIMEOUT or HARDWARE (suspended all the same: resume and stop lead on).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_suspend(struct sluice *sluice);

/**
 * After wake-up, before any device is let loose: programs the units again and drops every stale
 * cached entry.
 *
 * A device that its unit does not take back where it was (a virtio-iommu that is out of memory for
 * its mappings) fails nobody else's resume: it is left blocked, and quarantined: its owner is told,
 * and it can be recovered (sluice/quarantine.h). Memory that firmware keeps for a source in no
 * domain is out of its reach then, which is logged.
 *
 * When a unit cannot be programmed again, the others are up, and
 * - devices behind it are blocked, where it does anything at all; the bus mastering of those that
 *   are known is turned off, and on again by a resume that works. sluice_unit_info says which unit
 *   it is: it is degraded, and not started;
 * - resume may be called again (those that are up are left alone), also after another suspend;
 * - what lets go may be called: detach, remove, release, freeing interrupt entries, destroying
 *   domains, unmapping, closing DMA handles. What that unit would have to confirm returns HARDWARE:
 *   memory and tables that it may reach are withheld, also after a resume that works;
 * - then stop may be called. All else is refused with STATE: no new device, domain, attachment,
 *   route or DMA handle.
 *
 * Returns: OK; INVALID (a pointer is NULL); STATE; TIMEOUT or HARDWARE (as above: do not let
 * devices loose before it is OK).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_resume(struct sluice *sluice);

/** Called with one line of a report at a time, without newline. */
typedef void sluice_emit(void *arg, const char *line);

/**
 * Writes what there is for people: the level, units with their capabilities, state and how long
 * their invalidations took, devices and their states, groups with who is in them and why, domains
 * with their mappings, faults.
 * Context: as in the head of this file; `emit` is called with the instance locked.
 */
SLUICE_API void sluice_report(struct sluice *sluice, sluice_emit *emit, void *arg);

/** Buckets of struct sluice_latency: 24 with a bound each, and one for what took longer. */
#define SLUICE_LATENCY_BUCKETS   25u
#define SLUICE_LATENCY_FIRST_LG2 7u /**< the first holds what took at most 128 ns */

/**
 * How long something took, in powers of two: bucket i counts what took at most
 * 1 << (SLUICE_LATENCY_FIRST_LG2 + i) nanoseconds, and more than the bucket before; the last counts
 * what took longer than a second.
 */
struct sluice_latency {
    uint64_t count;  /**< of all buckets */
    uint64_t sum_ns; /**< of all times; may be one or two ahead of `count` or behind it */
    uint64_t buckets[SLUICE_LATENCY_BUCKETS];
};

/** What a unit is and how it does. */
struct sluice_unit_info {
    const char *name;        /**< "vtd0"; lives as long as the instance */
    const char *driver;      /**< "Intel VT-d" */
    uint16_t segment;        /**< PCI segment */
    sluice_phys_t base;      /**< physical address of its registers */
    unsigned iova_bits;      /**< widest IOVA it translates */
    unsigned phys_bits;      /**< widest address it puts out */
    uint64_t page_sizes;     /**< bit n set: pages of 1 << n bytes */
    bool coherent;           /**< its table walks snoop CPU caches */
    bool pass_through;       /**< can let a device through untranslated */
    bool queued;             /**< invalidates through a queue */
    bool started;            /**< translates now */
    bool degraded;           /**< missed a deadline: memory may be withheld */
    uint64_t withheld_pages; /**< pages it might still reach, never reused (whole instance) */
    /** From the submission of invalidations until they were seen complete; by batches. A unit that
     * walks no tables is told of mappings too, which count as well. */
    struct sluice_latency invalidations;
};

/** How many units there are; 0 before start. */
SLUICE_API unsigned sluice_unit_count(struct sluice *sluice);

/** Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (index is not below the count). */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_unit_info(struct sluice *sluice, unsigned index, struct sluice_unit_info *out);

#ifdef __cplusplus
}
#endif

#endif
