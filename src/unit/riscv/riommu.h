// SPDX-License-Identifier: MIT
/*
 * The inside of the RISC-V IOMMU driver [RISC-V IOMMU 1.0].
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > ring.lock. log_lock is taken
 * with none of them held by this driver and takes none.
 *
 *   ring.lock  the command queue and its records, CQCSR, the list of users
 *   log_lock   the fault queue and the page request queue, FQCSR and PQCSR; never held while a
 * fault is delivered
 */
#ifndef SLUICE_UNIT_RISCV_RIOMMU_H
#define SLUICE_UNIT_RISCV_RIOMMU_H

#include "unit/index.h"
#include "unit/ring.h"
#include "unit/riscv/command.h"
#include "unit/riscv/context.h"
#include "unit/riscv/fault.h"
#include "unit/riscv/registers.h"
#include "unit/unit.h"
#include "unit/user.h"

#define RIOMMU_RING_LG2        8u  /**< entries of the command queue: UNIT_RING_ENTRIES */
#define RIOMMU_FAULT_LG2       7u  /**< entries of the fault queue: one page */
#define RIOMMU_REQUEST_LG2     8u  /**< entries of the page request queue: one page */
#define RIOMMU_DEVICE_BITS_MAX 24u /**< of device IDs [RISC-V IOMMU 1] */
#define RIOMMU_LEVELS          3u  /**< of the device directory, of which the unit may use fewer */
/** PSCIDs have 20 bits and GSCIDs 16: one set of IDs serves as either. */
#define RIOMMU_TAG_COUNT 0x10000u
/** Entries of an MSI page table: what a page holds, and all that some units take (QEMU's). */
#define RIOMMU_MESSAGES 256u

/** What hardware says, in the words the driver decides with. */
struct riommu_capability {
    uint64_t cap;
    unsigned phys_bits;
    bool extended;        /**< device contexts of 64 bytes */
    unsigned device_bits; /**< of the IDs that firmware tells of */
};

/** A queue that the unit writes, guarded by log_lock. */
struct riommu_queue {
    struct sluice_pages pages;
    uint32_t head; /**< as in the register */
    uint32_t csr;  /**< enables, as last written */
    bool lost;     /**< records were lost, and that was not told with a fault yet */
    uint64_t seen;
};

/** A word of a table, which the unit reads while it changes. */
typedef _Atomic uint64_t riommu_word;

/** A table of MSI entries; see message.c. */
struct riommu_messages {
    struct list_node node;
    struct sluice_pages pages;
    struct unit_index index;
    uint32_t kept; /**< of its numbers: never given out */
    bool in_doubt; /**< the unit may still read it, whatever its device contexts say */
};

/** A process directory; see process.c. */
struct riommu_processes {
    struct sluice_pages top[RIOMMU_LEVELS]; /**< by level, as of the device directory */
    unsigned levels;                        /**< 0: there is none */
    unsigned count;                         /**< PASIDs that lead somewhere */
};

/** What a device has beside its context; guarded by sluice->lock. */
struct riommu_device {
    struct list_node node;
    uint32_t id;
    uint32_t tag;                     /**< where interrupts are remapped: its GSCID */
    struct riommu_messages *messages; /**< NULL: it may send none */
    struct riommu_processes processes;
    bool in_doubt; /**< an invalidation for it was lost: its tag is used for nothing else */
};

struct riommu {
    struct unit unit; /**< first */
    void *registers;
    sluice_phys_t base;   /**< of the registers: firmware's word, or what is in BAR 0 */
    uint32_t pci_command; /**< on PCI: as found, what is restored when the unit is released */
    struct riommu_capability capability;

    struct unit_ring ring;
    uint32_t cqcsr;    /**< enables, as last written */
    uint64_t error_at; /**< position of the last error of the queue; UINT64_MAX: none */
    struct unit_users users;

    struct sluice_spinlock log_lock;
    struct riommu_queue faults;
    struct riommu_queue requests;

    struct sluice_pages top[RIOMMU_LEVELS]; /**< of the directory, by level: see directory.c */
    unsigned levels;                        /**< that the unit uses; 0 before the first start */
    unsigned before;        /**< DDTP.MODE as found: what is restored when the unit is stopped */
    struct unit_index tags; /**< PSCIDs and GSCIDs */

    struct list_node devices;  /**< struct riommu_device */
    bool remaps;               /**< interrupts go through MSI page tables */
    sluice_phys_t window;      /**< remaps: where messages go, RIOMMU_MESSAGES pages */
    struct sluice_pages files; /**< remaps: see message.c */
    struct sluice_pages empty; /**< remaps: the table of devices that have none */
    /** Tables that map nothing, for those that are blocked and silent; made when first needed. */
    struct sluice_pages nothing;
    struct list_node messages; /**< struct riommu_messages */

    bool has_event;
    bool wired;
    void *event;
    struct sluice_msi msi;
};

static inline struct riommu *riommu_of(struct unit *unit)
{
    return container_of(unit, struct riommu, unit);
}

static inline struct riommu *riommu_of_ring(struct unit_ring *ring)
{
    return container_of(ring, struct riommu, ring);
}

static inline uint32_t riommu_read32(struct riommu *riommu, uint32_t offset)
{
    struct sluice *sluice = riommu->unit.sluice;

    return sluice->ops->mmio_read32(sluice->config.ctx, riommu->registers, offset);
}

static inline uint64_t riommu_read64(struct riommu *riommu, uint32_t offset)
{
    struct sluice *sluice = riommu->unit.sluice;

    return sluice->ops->mmio_read64(sluice->config.ctx, riommu->registers, offset);
}

static inline void riommu_write32(struct riommu *riommu, uint32_t offset, uint32_t value)
{
    struct sluice *sluice = riommu->unit.sluice;

    sluice->ops->mmio_write32(sluice->config.ctx, riommu->registers, offset, value);
}

static inline void riommu_write64(struct riommu *riommu, uint32_t offset, uint64_t value)
{
    struct sluice *sluice = riommu->unit.sluice;

    sluice->ops->mmio_write64(sluice->config.ctx, riommu->registers, offset, value);
}

/** Makes what was written visible to a unit that does not snoop. */
static inline void riommu_clean(struct riommu *riommu, const void *virt, size_t bytes)
{
    if (!riommu->unit.caps.coherent)
        host_cache_clean(riommu->unit.sluice, virt, bytes);
}

/** Whether a capability of one bit is there. */
#define RIOMMU_HAS(riommu, field) (RIOMMU_GET(CAP_##field, (riommu)->capability.cap) != 0)

/* pci.c; on PCI only */
/** Finds the registers. Returns OK; UNSUPPORTED; FIRMWARE, HARDWARE (logged). */
enum sluice_status riommu_pci_open(struct riommu *riommu);
/** Lets it read and write memory, and send messages. */
void riommu_pci_master(struct riommu *riommu);
void riommu_pci_close(struct riommu *riommu);

/* capability.c */
/** Decodes and checks. Returns OK; HARDWARE, UNSUPPORTED (logged). */
enum sluice_status riommu_capability_read(struct riommu *riommu);
void riommu_capability_publish(struct riommu *riommu);
void riommu_describe(struct unit *unit, sluice_emit *emit, void *arg);

/* control.c; returns OK; TIMEOUT; HARDWARE (reads all ones, or does not take it), logged */
enum sluice_status riommu_directory_mode(struct riommu *riommu, enum riommu_ddtp_mode *out);
/** Blocks everything; the root page stays as it is [RISC-V IOMMU 5.5]. */
enum sluice_status riommu_directory_off(struct riommu *riommu);
/** @param root  ignored for BARE. UNSUPPORTED: the unit has no such mode, and is off. */
enum sluice_status riommu_directory_set(struct riommu *riommu, enum riommu_ddtp_mode mode,
                                        sluice_phys_t root);
/** Writes a queue's control, 0 or enables, and waits until it is on or off. */
enum sluice_status riommu_queue_control(struct riommu *riommu, enum riommu_register csr,
                                        uint32_t enables);
/** Byte order and kind of interrupts; the unit is off and so are its queues. */
enum sluice_status riommu_features_set(struct riommu *riommu);

/* queue.c */
extern const struct unit_ring_ops riommu_ring_ops_written; /**< completions are written */
extern const struct unit_ring_ops riommu_ring_ops_polled;  /**< the head tells them */
/** Turns it on, empty. Returns as in control.c. */
enum sluice_status riommu_ring_start(struct riommu *riommu);
enum sluice_status riommu_ring_stop(struct riommu *riommu);
/** No interrupts from it any more; it goes on. */
void riommu_ring_quiet(struct riommu *riommu);
/** An error interrupt. */
void riommu_ring_look(struct riommu *riommu);

/* invalidate.c */
enum sluice_status riommu_invalidate_submit(struct unit *unit,
                                            const struct unit_invalidation *invalidation,
                                            struct unit_ticket *out_ticket);
enum sluice_status riommu_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket);
/** All contexts and translations. */
enum sluice_status riommu_invalidate_everything(struct riommu *riommu);
/** One device's context, what was cached through `old`, and its device TLB if it has one. */
enum sluice_status riommu_invalidate_device(struct riommu *riommu, uint32_t device,
                                            const struct riommu_context *old, bool device_tlb);
struct riommu_tag riommu_tag_of(const struct domain_link *link);

/** Of the first stages on a second stage: what is cached of all of them, whoever had its tag. */
enum sluice_status riommu_invalidate_first_stages(struct riommu *riommu, uint32_t guest);

/** One process's context, what was cached through `old`, and the PASID's part of its device TLB if
 * it has one; PASID 0 is requests without one. */
enum sluice_status riommu_invalidate_process(struct riommu *riommu, uint32_t device, uint32_t pasid,
                                             const struct riommu_process_context *old,
                                             bool device_tlb);
/** The entry of an MSI page table that was changed, or several from `first` on. */
enum sluice_status riommu_invalidate_messages(struct riommu *riommu,
                                              const struct riommu_messages *messages,
                                              uint32_t first, uint32_t count);

/* table.c */
uint64_t riommu_word_get(riommu_word *word);
/** A store that is seen after all before it. */
void riommu_word_set(struct riommu *riommu, riommu_word *word, uint64_t value);
/** A page of zeros, within the unit's reach: nothing in it is valid. */
bool riommu_table_make(struct riommu *riommu, struct sluice_pages *out);
/** The table that an entry leads to, made if need be; NULL: there is none. */
riommu_word *riommu_table_below(struct riommu *riommu, riommu_word *slot, bool make);
/** Frees what a valid entry leads to, or counts it as withheld. */
void riommu_table_free(struct riommu *riommu, uint64_t entry);

/* device.c */
struct riommu_device *riommu_device_find(struct riommu *riommu, uint32_t id);
/** Finds it or makes it. Returns OK; NO_MEMORY; NO_SPACE (no tag is free). */
enum sluice_status riommu_device_get(struct riommu *riommu, uint32_t id,
                                     struct riommu_device **out);
/** Forgets it when nothing is left of it; NULL is nothing. */
void riommu_device_settle(struct riommu *riommu, struct riommu_device *device);
void riommu_devices_release(struct riommu *riommu);

/* message.c */
/** Allocates what remapping needs before there is a device. */
bool riommu_messages_prepare(struct riommu *riommu);
void riommu_messages_release(struct riommu *riommu);
/** The window as a device context has it; `messages` NULL: nothing may be sent. */
void riommu_messages_put(const struct riommu *riommu, const struct riommu_messages *messages,
                         struct riommu_context *context);
enum sluice_status riommu_interrupt_alloc(struct unit *unit, struct interrupt_block *block);
enum sluice_status riommu_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                          unsigned index,
                                          const struct sluice_interrupt_route *route);
enum sluice_status riommu_interrupt_free(struct unit *unit, struct interrupt_block *block);
void riommu_interrupt_message(struct unit *unit, const struct interrupt_block *block,
                              unsigned index, const struct sluice_interrupt_route *route,
                              struct interrupt_message *out);
void riommu_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info);

/* nested.c */
/** Returns: OK; UNSUPPORTED; INVALID, RANGE (what the guest says). */
enum sluice_status riommu_nested_check(const struct riommu *riommu, const struct domain_link *link);
struct riommu_guest_stage riommu_nested_stage(const struct domain_link *link);
/**
 * Whether a device can be there. What a device TLB holds under the PASIDs of a guest's directory
 * nobody here can name, and devices need not know how to drop all of them [PCIe 10.3.8].
 */
bool riommu_nested_takes(const struct domain_link *link, bool device_tlb);
/** What the owner of the first stage changed. Context: ring.lock, in a batch; likewise below. */
void riommu_nested_add(struct riommu *riommu, struct unit_ring_batch *batch,
                       const struct unit_invalidation *invalidation);
/** All that is cached of a nested link's first stage, device TLBs included. */
void riommu_nested_add_everything(struct riommu *riommu, struct unit_ring_batch *batch,
                                  const struct domain_link *link);
/**
 * What else follows when something of a second stage went that first stages lie on. Directories
 * and roots of theirs may be cached as the addresses that it had led to, so devices' contexts go
 * too; and once the second stage itself is forgotten, or they could be made of it again
 * [RISC-V IOMMU 3.1.3, 6.3.4].
 */
void riommu_nested_add_below(struct riommu *riommu, struct unit_ring_batch *batch,
                             const struct domain_link *parent);

/* process.c */
/** Of the directories that the unit takes; 0: none. */
unsigned riommu_process_levels(const struct riommu *riommu);
/** Bits of a PASID; 0: it takes none. */
unsigned riommu_process_bits(const struct riommu *riommu);
/** Whether a source's own link can be beside PASIDs. */
bool riommu_beside_processes(const struct domain_link *link);
/** riommu_attach for a PASID. */
enum sluice_status riommu_process_attach(struct riommu *riommu, const struct source *source,
                                         uint32_t pasid, const struct domain_link *to);
/** Where requests without a PASID go, of a device with a directory. On an error: nowhere. */
enum sluice_status riommu_process_default(struct riommu *riommu, struct riommu_device *device,
                                          const struct domain_link *link, bool tlb);
void riommu_processes_free(struct riommu *riommu, struct riommu_processes *processes);

/* directory.c */
/** Makes the directory, in which everybody is blocked. */
bool riommu_directory_make(struct riommu *riommu);
/** Frees it, or counts it as withheld. */
void riommu_directory_free(struct riommu *riommu);
/** Tells the unit of it. Returns OK; UNSUPPORTED, TIMEOUT, HARDWARE (it is off then). */
enum sluice_status riommu_directory_on(struct riommu *riommu);
enum sluice_status riommu_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to);
enum sluice_status riommu_source_silence(struct unit *unit, struct source *source, bool silence);
bool riommu_in_reach(const struct riommu *riommu, uint32_t device);
/** Whether a source's device TLB is one of ours to invalidate. */
bool riommu_has_tlb(const struct riommu *riommu, const struct source *source);
/** Writes the context of a device anew, if it is valid and not so already. Returns OK; TIMEOUT;
 * HARDWARE (it is blocked). */
enum sluice_status riommu_context_renew(struct riommu *riommu, const struct source *source,
                                        struct riommu_device *device);
/** Has the context of a device, if it is valid, lead to the device's MSI page table as it is now.
 * Returns OK; TIMEOUT; HARDWARE (the unit may use the old one). */
enum sluice_status riommu_context_lead(struct riommu *riommu, const struct riommu_device *device);

/* link.c */
enum sluice_status riommu_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status riommu_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status riommu_link_close(struct unit *unit, struct domain_link *link);
/**
 * The context of a device that belongs to the link; NULL: blocked.
 * @param device  what is kept of it; NULL: nothing
 */
struct riommu_context riommu_context_for(const struct riommu *riommu,
                                         const struct domain_link *link,
                                         const struct riommu_device *device, bool ats, bool quiet);

/* log.c */
/** Turns the queues on, empty. Returns as in control.c. */
enum sluice_status riommu_logs_start(struct riommu *riommu);
enum sluice_status riommu_logs_stop(struct riommu *riommu);
/** No interrupts from them any more; they go on. */
void riommu_logs_quiet(struct riommu *riommu);
unsigned riommu_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg);
/** An event interrupt: drains, bounded. */
void riommu_event(void *arg);

/* interrupt.c */
/** Installs the handler, and decides on messages or wires, before the unit is programmed. */
void riommu_event_prepare(struct riommu *riommu);
/** Programs vectors and messages; queues turn interrupts on as they start. */
void riommu_event_program(struct riommu *riommu);
void riommu_event_remove(struct riommu *riommu);

/* start.c */
enum sluice_status riommu_start(struct unit *unit);
enum sluice_status riommu_stop(struct unit *unit);
enum sluice_status riommu_suspend(struct unit *unit);
enum sluice_status riommu_resume(struct unit *unit);

/* probe.c */
extern const struct unit_ops riommu_unit_ops;
/** Frees pages, or counts them as withheld when the unit may still reach them. */
void riommu_give_back(struct riommu *riommu, struct sluice_pages *pages, unsigned order);

#endif
