// SPDX-License-Identifier: MIT
/*
 * The inside of the virtio-iommu driver [Virtio 5.13], over PCI [Virtio 4.1] and MMIO [Virtio 4.2].
 *
 *   probe.c    found, released; operations     transport*.c  registers: PCI or MMIO
 *   start.c    on, off, power                  capability.c  features and configuration
 *   queue.c    requests in flight              told.c        what the device was told to map
 *   sync.c     telling it of mappings          endpoint.c    attach, regions
 *   link.c     domains                         event.c       faults
 *
 * The device walks no tables: it is told of each mapping by a request. A domain's page tables stay
 * the truth; per domain the driver keeps the runs that the device was told (told.h). Mapping tells
 * it what was mapped, in as few requests as its pieces allow; an invalidation takes from it those
 * runs of the named range that the tables do not hold any more, and nothing else, however wide the
 * range was made by gathering.
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > domain->links_lock > lock >
 * domain->tables_lock. log_lock is taken with none of them held by this driver and takes none.
 *
 *   lock      the request queue, domains and what they were told, endpoints
 *   log_lock  the event queue; never held while a fault is delivered
 */
#ifndef SLUICE_UNIT_VIRTIO_VIRTIO_H
#define SLUICE_UNIT_VIRTIO_VIRTIO_H

#include "unit/index.h"
#include "unit/unit.h"
#include "unit/virtio/protocol.h"
#include "unit/virtio/told.h"

#include <sluice/cpu.h>

#define VIOMMU_REQUESTS    0u /**< queue numbers [Virtio 5.13.2] */
#define VIOMMU_EVENTS      1u
#define VIOMMU_QUEUE_MAX   256u  /**< descriptors used of either queue */
#define VIOMMU_SLOTS_MAX   128u  /**< requests in flight: two descriptors each */
#define VIOMMU_EVENTS_MAX  64u   /**< buffers for fault reports */
#define VIOMMU_RESULTS     1024u /**< how long the outcome of a request is remembered */
#define VIOMMU_DOMAINS_MAX 65536u
/** Of an endpoint's properties, which hold 682 regions; a device that has more is refused. */
#define VIOMMU_PROBE_BYTES_MAX 16368u
#define VIOMMU_WINDOWS         5u

/* Where things are in a queue's pages [Virtio 2.7]. */
#define VIOMMU_DRIVER_AREA SLUICE_PAGE_BYTES /**< after the descriptors */
#define VIOMMU_DEVICE_AREA (SLUICE_PAGE_BYTES + 1024)
#define VIOMMU_QUEUE_ORDER 1u
#define VIOMMU_SLOT_BYTES  128u
#define VIOMMU_SLOT_TAIL   96u
#define VIOMMU_SLOTS_ORDER 2u
#define VIOMMU_EVENT_BYTES 32u

_Static_assert(sizeof(struct virtq_descriptor) * VIOMMU_QUEUE_MAX <= VIOMMU_DRIVER_AREA &&
                   VIOMMU_DRIVER_AREA + 6 + sizeof(uint16_t) * VIOMMU_QUEUE_MAX <=
                       VIOMMU_DEVICE_AREA &&
                   VIOMMU_DEVICE_AREA + 6 + sizeof(struct virtq_used_entry) * VIOMMU_QUEUE_MAX <=
                       SLUICE_PAGE_BYTES << VIOMMU_QUEUE_ORDER,
               "the parts of a queue lie beside each other");
_Static_assert((uint64_t)VIOMMU_SLOT_BYTES *VIOMMU_SLOTS_MAX <= SLUICE_PAGE_BYTES
                                                                    << VIOMMU_SLOTS_ORDER &&
                   (uint64_t)VIOMMU_EVENT_BYTES * VIOMMU_EVENTS_MAX <= SLUICE_PAGE_BYTES,
               "buffers fit into their pages");

struct viommu;

/** Where a queue is, for the device. */
struct viommu_place {
    unsigned size;
    sluice_phys_t descriptors, driver, device;
};

/** Registers, whatever bus they are on. Widths and order are the transport's business. */
struct viommu_transport {
    const char *name;
    bool wired; /**< it raises events by a wire, never by a message */
    /** Maps registers and checks that a virtio-iommu device is behind them. Logged. */
    enum sluice_status (*open)(struct viommu *viommu);
    void (*close)(struct viommu *viommu);
    /** Before the device is used: bus mastering. */
    void (*enable)(struct viommu *viommu);
    uint8_t (*status)(struct viommu *viommu);
    void (*status_set)(struct viommu *viommu, uint8_t status);
    uint64_t (*features)(struct viommu *viommu);
    void (*features_set)(struct viommu *viommu, uint64_t features);
    /** How many descriptors a queue can have; 0: there is no such queue. */
    unsigned (*queue_most)(struct viommu *viommu, unsigned queue);
    /** Places a queue and turns it on. Returns: OK; HARDWARE (logged). */
    enum sluice_status (*queue_set)(struct viommu *viommu, unsigned queue,
                                    const struct viommu_place *place);
    void (*notify)(struct viommu *viommu, unsigned queue);
    uint32_t (*generation)(struct viommu *viommu);
    uint32_t (*config_read32)(struct viommu *viommu, uint32_t offset);
    uint8_t (*config_read8)(struct viommu *viommu, uint32_t offset);
    void (*config_write8)(struct viommu *viommu, uint32_t offset, uint8_t value);
    /** Connects events and configuration changes to the message; false: cannot. Before queues. */
    bool (*event_connect)(struct viommu *viommu, const struct sluice_msi *msi);
    void (*event_disconnect)(struct viommu *viommu);
    /** In the handler: takes the interrupt back, where that is by register. */
    void (*event_acknowledge)(struct viommu *viommu);
};

extern const struct viommu_transport viommu_transport_pci;
extern const struct viommu_transport viommu_transport_mmio;

/** A mapped piece of a BAR, or the registers. */
struct viommu_window {
    void *handle;   /**< NULL: not there */
    uint64_t bytes; /**< that were mapped */
    uint64_t at;    /**< where the window begins in what was mapped */
};

/** Windows of the PCI transport. */
enum viommu_window_index {
    VIOMMU_WINDOW_COMMON = 0, /**< MMIO: all registers */
    VIOMMU_WINDOW_NOTIFY,
    VIOMMU_WINDOW_ISR,
    VIOMMU_WINDOW_DEVICE,
    VIOMMU_WINDOW_MSIX,
};

/** What the device says, in the words the driver decides with. */
struct viommu_capability {
    uint64_t offered;
    uint64_t features; /**< of those offered, what is used */
    uint64_t page_size_mask;
    uint64_t input_first, input_last;
    uint32_t domain_first, domain_last;
    uint32_t probe_bytes; /**< that are read; 0: no probing */
    unsigned granule_lg2; /**< smallest page of domains here */
    unsigned slots;       /**< requests in flight */
    unsigned queue_size[2];
};

enum viommu_slot_state {
    VIOMMU_SLOT_FREE = 0,
    VIOMMU_SLOT_SENT,
    VIOMMU_SLOT_DONE, /**< but one before it is not */
};

struct viommu_slot {
    uint8_t state;     /**< enum viommu_slot_state */
    uint8_t type;      /**< enum viommu_request_type */
    bool owed;         /**< nobody waits for its result, and it must be OK */
    uint32_t writable; /**< bytes that the device may write */
};

/** The request queue, guarded by viommu->lock. Requests are numbered from 1, for good. */
struct viommu_queue {
    struct sluice_pages pages; /**< the rings */
    struct sluice_pages slots; /**< requests and their tails */
    struct sluice_pages probe; /**< properties of one endpoint, and the tail behind them */
    unsigned probe_order;
    struct viommu_slot slot[VIOMMU_SLOTS_MAX];
    uint64_t next;   /**< number of the next request */
    uint64_t oldest; /**< first that is not complete */
    uint16_t given;  /**< requests put into the ring, as the device counts */
    uint16_t shown;  /**< of these, what it was told of */
    uint16_t used;   /**< completions seen, likewise */
    unsigned size;   /**< descriptors */
    bool enabled;
    bool dead; /**< nothing it says or did is relied on, until the device is reset */
    uint8_t result[VIOMMU_RESULTS]; /**< by number: enum viommu_status */
    uint64_t failed_last;           /**< the last that failed */
    uint64_t failures, notified;    /**< for reports */
};

/** Guarded by log_lock. */
struct viommu_events {
    struct sluice_pages pages; /**< the rings */
    struct sluice_pages buffers;
    unsigned count; /**< buffers that the device has */
    unsigned size;  /**< descriptors */
    uint16_t used;  /**< reports seen, as the device counts */
    uint16_t given; /**< buffers given, likewise */
    bool enabled;
    bool broken; /**< the device wrote nonsense: nothing is read any more */
    bool lost;   /**< reports may be missing, and that was not told yet */
    uint64_t seen, odd, full;
};

/** One link: a domain of the device. Guarded by viommu->lock. */
struct viommu_domain {
    struct list_node node; /**< in viommu->domains */
    const struct domain_link *link;
    uint32_t id;
    bool live;          /**< it exists on the device: endpoints are attached to it */
    bool doubtful;      /**< an attach or detach went wrong: who is in it is not known */
    unsigned endpoints; /**< attached, or to be at start */
    struct told told;
};

struct viommu_endpoint {
    struct list_node node; /**< in viommu->endpoints */
    uint32_t id;
    struct viommu_domain *domain; /**< NULL: blocked, and in the domain for that if known at all */
    bool refused; /**< the device did not take it back after sleep, and nobody was told yet */
    bool probed;
    unsigned region_count;
    struct sluice_reserved_region *regions; /**< so many; NULL: none */
};

struct viommu {
    struct unit unit; /**< first */
    const struct viommu_transport *transport;
    struct viommu_window windows[VIOMMU_WINDOWS];
    uint32_t notify_multiplier; /**< PCI */
    uint32_t notify_at[2];      /**< PCI: offset of each queue's notification in its window */
    uint32_t command;           /**< PCI: command register as found */
    uint16_t msix;              /**< PCI: offset of the MSI-X capability; 0: none */
    bool messages;              /**< PCI: MSI-X is on */
    struct viommu_capability capability;

    struct sluice_spinlock lock;
    struct viommu_queue queue;
    struct list_node domains;
    struct list_node endpoints;
    struct unit_index ids; /**< domain IDs from domain_first on; the first is block_id */
    uint32_t block_id;     /**< of the domain in which nothing is mapped: blocked endpoints */
    uint64_t broken_up;    /**< runs unmapped whole and mapped again in part */

    struct sluice_spinlock log_lock;
    struct viommu_events events;

    uint8_t bypass;    /**< as found: what is restored when the unit is stopped */
    bool bypass_taken; /**< it was turned off */
    bool touched;      /**< PCI: it was started once, so the command register is not put back */
    bool has_event;
    void *event;
    struct sluice_msi msi;
};

static inline struct viommu *viommu_of(struct unit *unit)
{
    return container_of(unit, struct viommu, unit);
}

static inline bool viommu_has(const struct viommu *viommu, uint64_t feature)
{
    return (viommu->capability.features & feature) != 0;
}

/* A queue's rings. Words of both areas: 0 flags, 1 index; then, the driver's, its entries. */

static inline _Atomic(uint16_t) *viommu_driver_area(const struct sluice_pages *pages)
{
    return (_Atomic(uint16_t) *)(void *)((uint8_t *)pages->virt + VIOMMU_DRIVER_AREA);
}

static inline _Atomic(uint16_t) *viommu_device_area(const struct sluice_pages *pages)
{
    return (_Atomic(uint16_t) *)(void *)((uint8_t *)pages->virt + VIOMMU_DEVICE_AREA);
}

/** Copies an entry of the used ring, so that what is checked is what is used. */
static inline struct virtq_used_entry viommu_used_entry(const struct sluice_pages *pages,
                                                        unsigned index)
{
    const uint8_t *ring = (const uint8_t *)pages->virt + VIOMMU_DEVICE_AREA + 4;
    struct virtq_used_entry entry;

    __builtin_memcpy(&entry, ring + (size_t)index * sizeof(entry), sizeof(entry));
    return entry;
}

/* transport.c: accesses to windows */
bool viommu_window_map(struct viommu *viommu, enum viommu_window_index index, sluice_phys_t phys,
                       uint64_t bytes);
void viommu_windows_unmap(struct viommu *viommu);
uint8_t viommu_read8(struct viommu *viommu, enum viommu_window_index index, uint64_t offset);
uint16_t viommu_read16(struct viommu *viommu, enum viommu_window_index index, uint64_t offset);
uint32_t viommu_read32(struct viommu *viommu, enum viommu_window_index index, uint64_t offset);
void viommu_write8(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                   uint8_t value);
void viommu_write16(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                    uint16_t value);
void viommu_write32(struct viommu *viommu, enum viommu_window_index index, uint64_t offset,
                    uint32_t value);

/* capability.c */
/** Reads features and configuration, and checks them. Returns OK; HARDWARE, UNSUPPORTED (logged).
 */
enum sluice_status viommu_capability_read(struct viommu *viommu);
void viommu_capability_publish(struct viommu *viommu);
void viommu_describe(struct unit *unit, sluice_emit *emit, void *arg);

/* queue.c */
bool viommu_queue_allocate(struct viommu *viommu);
/** Empties it: the device was reset. What was in flight failed. */
void viommu_queue_reset(struct viommu *viommu);
void viommu_queue_place(const struct viommu *viommu, struct viommu_place *out);
/** Nothing the device says counts any more; the reason is logged. */
__attribute__((format(printf, 2, 3))) void viommu_die_locked(struct viommu *viommu,
                                                             const char *format, ...);
/**
 * Puts a request into the queue, waiting for room; the device is told by viommu_kick_locked.
 * Returns: OK; TIMEOUT; HARDWARE.
 */
enum sluice_status viommu_send_locked(struct viommu *viommu, const struct viommu_request *request);
/** As viommu_send_locked, where nobody will look at the result: it kills the queue if not OK. */
enum sluice_status viommu_send_owed_locked(struct viommu *viommu,
                                           const struct viommu_request *request);
void viommu_kick_locked(struct viommu *viommu);
/** Waits until everything before `end` is complete. Returns: OK; TIMEOUT; HARDWARE. */
enum sluice_status viommu_settle_locked(struct viommu *viommu, uint64_t end);
/** The same without the lock, for long waits, which are counted as the ticket says. */
enum sluice_status viommu_settle(struct viommu *viommu, uint64_t end,
                                 const struct unit_ticket *ticket);
/** Sends one request alone and waits; *out_result is what the device says. */
enum sluice_status viommu_ask_locked(struct viommu *viommu, const struct viommu_request *request,
                                     enum viommu_status *out_result);
/** PROBE of one endpoint; properties are in queue.probe then. */
enum sluice_status viommu_ask_probe_locked(struct viommu *viommu, uint32_t endpoint,
                                           enum viommu_status *out_result);
/** The worst of the complete requests [first, end). */
enum viommu_status viommu_worst_locked(const struct viommu *viommu, uint64_t first, uint64_t end);
const char *viommu_status_text(enum viommu_status status);

/* sync.c */
enum sluice_status viommu_invalidate_submit(struct unit *unit,
                                            const struct unit_invalidation *invalidation,
                                            struct unit_ticket *out_ticket);
enum sluice_status viommu_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket);
/** Tells the device all that a domain that just came to life maps, and waits. */
enum sluice_status viommu_replay(struct viommu *viommu, struct viommu_domain *domain);

/* endpoint.c */
enum sluice_status viommu_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to);
enum sluice_status viommu_source_region(struct unit *unit, uint32_t id, unsigned index,
                                        struct sluice_reserved_region *out);
/**
 * After a reset: attaches everybody who is in a domain, and blocks everybody else. Those whom the
 * device refuses stay blocked; without `whole` that is no error, and viommu_source_refused says so.
 */
enum sluice_status viommu_endpoints_restore(struct viommu *viommu, bool whole);
bool viommu_source_refused(struct unit *unit, uint32_t id);
/** Before a stop: takes everybody out of every domain, as the reset does where devices are right.
 */
void viommu_endpoints_release(struct viommu *viommu);
/** What an endpoint is in, and the endpoint itself; NULL: nothing is known of it. */
struct viommu_endpoint *viommu_endpoint_find(struct viommu *viommu, uint32_t id);
void viommu_endpoints_free(struct viommu *viommu);

/* link.c */
enum sluice_status viommu_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status viommu_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status viommu_link_close(struct unit *unit, struct domain_link *link);
void viommu_domains_free(struct viommu *viommu);

/* event.c */
bool viommu_events_allocate(struct viommu *viommu);
/** Fills the queue with buffers; the device was reset. */
void viommu_events_reset(struct viommu *viommu);
void viommu_events_place(const struct viommu *viommu, struct viommu_place *out);
unsigned viommu_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg);
/** unit_ops.event. */
void viommu_event(void *arg);
void viommu_event_on(struct viommu *viommu);
void viommu_event_off(struct viommu *viommu, bool remove);

/* start.c */
enum sluice_status viommu_start(struct unit *unit);
enum sluice_status viommu_stop(struct unit *unit);
enum sluice_status viommu_suspend(struct unit *unit);
enum sluice_status viommu_resume(struct unit *unit);

/* probe.c */
extern const struct unit_ops viommu_unit_ops;
/** Frees pages, or counts them as withheld when the device may still reach them. */
void viommu_give_back(struct viommu *viommu, struct sluice_pages *pages, unsigned order);

#endif
