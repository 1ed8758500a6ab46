// SPDX-License-Identifier: MIT
/*
 * A simulated host: memory, registers, PCI configuration space, time and interrupts, behind the
 * hooks of sluice/host.h. Tests and the models of units and devices stand on it.
 *
 *     struct model_host_config config = {.non_coherent = true};
 *     struct model_host *host = model_host_create(&config);
 *     struct sluice_config sluice_config = {0};
 *
 *     model_host_configure(host, &sluice_config);   // ops, ctx and linear map
 *     ... sluice_create(&sluice_config, &sluice) ...
 *     assert_int_equal(model_host_violations(host), 0);
 *     model_host_destroy(host);
 *
 * A violation is something that correct software never does: freeing twice, writing to a freed
 * page, programming a unit against its specification. Models record it here as a line of text and
 * go on; tests assert that there was none, or that the expected one was seen.
 *
 * All functions may be called from several threads unless they say otherwise. A zero in a config
 * is the default. Functions abort() when the test itself is wrong (absurd configuration, no host
 * memory), since nothing useful can follow.
 */
#ifndef MODELS_HOST_H
#define MODELS_HOST_H

#include <sluice/host.h>
#include <sluice/instance.h>

#define MODEL_PAGE_BYTES   ((uint64_t)4096)
#define MODEL_EXTENTS_MAX  4u
#define MODEL_LOG_LEVELS   4u
#define MODEL_POISON_BYTE  0xdbu                       /**< what freed pages are filled with */
#define MODEL_WINDOW_FIRST ((sluice_phys_t)0xfee00000) /**< interrupt messages [VT-d 3.15] */
#define MODEL_WINDOW_LAST  ((sluice_phys_t)0xfeefffff)

struct model_host;

/** A run of RAM. */
struct model_extent {
    sluice_phys_t base;
    uint64_t bytes;
};

struct model_host_config {
    /** RAM; all zero: 16 MiB at 1 MiB and 16 MiB at 4 GiB. Page multiples, rising, disjoint. */
    struct model_extent extents[MODEL_EXTENTS_MAX];
    bool not_linear;        /**< extents at unrelated virtual addresses: phys_to_virt is needed */
    bool non_coherent;      /**< units see memory only after cache_clean */
    bool real_clock;        /**< else time passes only by now_ns and stall_ns */
    bool no_events;         /**< leave out event_install: faults are only polled */
    bool wired_events;      /**< events are connected to units' wires, not to messages */
    bool no_extents;        /**< leave out memory_extent */
    bool no_vmap;           /**< leave out vmap and vunmap */
    bool ignores_last;      /**< pages_alloc does not look at sluice_page_request.last */
    unsigned cpus;          /**< default 1 */
    uint64_t clock_step_ns; /**< how much each now_ns advances the simulated clock; 1000 */
    bool echo_log;          /**< print the log to stderr too */
};

struct model_host *model_host_create(const struct model_host_config *config);

/**
 * Checks free pages for stray writes (a last violation may be recorded and is printed), then frees
 * everything. Nothing may run any more. Returns the number of violations seen in its life.
 */
unsigned model_host_destroy(struct model_host *host);

/** The hooks; hand them out with the host as ctx. */
const struct sluice_host_ops *model_host_ops(const struct model_host *host);

/** Fills in ops, ctx, linear_map, linear_base and a debug log level; leaves the rest alone. */
void model_host_configure(struct model_host *host, struct sluice_config *config);

/* ---- violations and log ---- */

__attribute__((format(printf, 2, 3))) void model_host_violate(struct model_host *host,
                                                              const char *format, ...);
unsigned model_host_violations(struct model_host *host);
/** The text of the index-th of those kept (the first 64), or NULL. */
const char *model_host_violation(struct model_host *host, unsigned index);
/** Whether one of those kept contains `text`. */
bool model_host_violated(struct model_host *host, const char *text);
void model_host_violations_clear(struct model_host *host);
/** Prints all that are kept to stderr; returns the count. */
unsigned model_host_violations_print(struct model_host *host);

unsigned model_host_log_count(struct model_host *host, enum sluice_log_level level);
/** Whether a line with `text` in it was logged (the last 256 KiB of log are kept). */
bool model_host_logged(struct model_host *host, const char *text);
void model_host_log_clear(struct model_host *host);

/* ---- memory ---- */

/**
 * Pages for the test itself: zeroed, never failing, not counted as the library's. `order` as in
 * pages_alloc.
 */
struct sluice_pages model_host_buffer(struct model_host *host, unsigned order, bool below_4g);
void model_host_buffer_free(struct model_host *host, struct sluice_pages pages, unsigned order);

/** Takes [phys, phys + bytes) of RAM out of the allocator for good, as firmware's own. */
void model_host_reserve(struct model_host *host, sluice_phys_t phys, uint64_t bytes);

/** Where a physical address is in this process, or NULL when it is not RAM. */
void *model_host_virt(struct model_host *host, sluice_phys_t phys);

/** What the library holds now. */
uint64_t model_host_pages_in_use(struct model_host *host);
uint64_t model_host_objects_in_use(struct model_host *host);

/** How many allocations (objects and pages) were asked for since the host was created. */
uint64_t model_host_allocations(struct model_host *host);
/** Fails the n-th allocation from now (0: the next), and with `all_after` each one after it. */
void model_host_fail_allocation(struct model_host *host, uint64_t nth, bool all_after);
void model_host_fail_no_more(struct model_host *host);
/** Lets mmio_map or event_install fail from now on. */
void model_host_fail_mmio_map(struct model_host *host, bool fail);
void model_host_fail_event_install(struct model_host *host, bool fail);

/* ---- memory as hardware sees it ---- */

/** How a read or write reaches memory. */
enum model_path {
    MODEL_SNOOPED = 0, /**< sees CPU caches */
    MODEL_BEHIND,      /**< sees only what reached memory: cleaned, or flushed */
};

/**
 * Reads a table entry as one unit: an aligned 64-bit word. A read from a freed page is a
 * violation (`who` names the reader). False when there is no RAM.
 */
bool model_host_fetch64(struct model_host *host, sluice_phys_t phys, enum model_path path,
                        const char *who, uint64_t *out);
/** Two words that were in memory together (entries are changed 16 bytes at a time). */
bool model_host_fetch128(struct model_host *host, sluice_phys_t phys, enum model_path path,
                         const char *who, uint64_t out[2]);
/** Device data, snooped: [phys, phys + bytes). False when a part is not RAM; nothing is moved. */
bool model_host_read(struct model_host *host, sluice_phys_t phys, void *data, size_t bytes);
bool model_host_write(struct model_host *host, sluice_phys_t phys, const void *data, size_t bytes);
/** An aligned 32-bit status write. */
bool model_host_store32(struct model_host *host, sluice_phys_t phys, uint32_t value);

/**
 * Write buffers that hold back stores until they are flushed (RWBF). Once asked for, MODEL_BEHIND
 * reads see memory as of the last flush.
 */
void model_host_buffer_writes(struct model_host *host);
void model_host_flush_writes(struct model_host *host);

/**
 * Whether devices' own DMA (not units' walks) sees CPU caches; it does at first. Without, a device
 * reads only what was cleaned, and the CPU sees what it wrote only after an invalidation, or
 * through an uncached vmap. For hosts with non_coherent.
 */
void model_host_snoop_devices(struct model_host *host, bool snoop);

/** Ranges that software has from vmap now. */
unsigned model_host_vmaps(struct model_host *host);

/* ---- registers ---- */

struct model_mmio_ops {
    uint64_t (*read)(void *arg, uint64_t offset, unsigned width);
    void (*write)(void *arg, uint64_t offset, unsigned width, uint64_t value);
};

/** Puts a device's registers at a physical range. `ops` must live as long as the host. */
void model_host_add_mmio(struct model_host *host, sluice_phys_t base, uint64_t bytes,
                         const struct model_mmio_ops *ops, void *arg);

/** A register access of software, for the hook below. */
struct model_mmio_event {
    sluice_phys_t phys;
    unsigned width; /**< bytes */
    uint64_t value;
    bool after; /**< false: about to be written */
};

/**
 * Called before and after every register write of software, on its thread, with the locks that it
 * holds. It may do DMA through models and look at memory; it must not call the library.
 */
typedef void model_mmio_hook(void *arg, const struct model_mmio_event *event);
void model_host_set_mmio_hook(struct model_host *host, model_mmio_hook *hook, void *arg);

/** A raw access as firmware or a test would do it; no hook is called. Width is 4 or 8. */
uint64_t model_host_mmio_read(struct model_host *host, sluice_phys_t phys, unsigned width);
void model_host_mmio_write(struct model_host *host, sluice_phys_t phys, unsigned width,
                           uint64_t value);
/** How many mappings of registers software holds. */
unsigned model_host_mmio_maps(struct model_host *host);

/* ---- time ---- */

void model_host_clock_advance(struct model_host *host, uint64_t ns);
uint64_t model_host_clock(struct model_host *host);
/** Called at each now_ns and stall_ns, for models that take time. At most 8. */
void model_host_add_tick(struct model_host *host, void (*tick)(void *arg), void *arg);

/** The earliest time that dma_poll_at was told since this was last called; UINT64_MAX: none. */
uint64_t model_host_poll_at(struct model_host *host);

/* ---- interrupts ---- */

/** A device or unit sends a message; it is pending until events run. */
void model_host_post_msi(struct model_host *host, uint64_t address, uint32_t data);
/** A unit raises one of its wires: pending for every event that was installed with that number. */
void model_host_post_wire(struct model_host *host, uint32_t wire);
/**
 * Calls the handlers of pending messages and deferred work. Does nothing inside a register access
 * or hook, where interrupts are off. Devices call it after each access; returns how many ran.
 */
unsigned model_host_run_events(struct model_host *host);
/** Messages that no event was installed for. */
unsigned model_host_stray_msis(struct model_host *host);
unsigned model_host_events_installed(struct model_host *host);

/* ---- PCI configuration space ---- */

struct model_pci_function;

/** Adds a function: 4 KiB of configuration space with a type 0 header. */
struct model_pci_function *model_pci_add(struct model_host *host, uint16_t segment, uint16_t rid,
                                         uint16_t vendor, uint16_t device);
/** Makes it a bridge; `conventional`: below it is PCI, behind a PCIe-to-PCI bridge. */
void model_pci_make_bridge(struct model_pci_function *function, uint8_t secondary,
                           uint8_t subordinate);
/** Appends a capability; `bytes` of `body` follow id and next pointer. Returns its offset. */
uint8_t model_pci_add_capability(struct model_pci_function *function, uint8_t id, const void *body,
                                 unsigned bytes);
/** A PCI Express capability with this device/port type [PCIe 7.5.3.2]. */
uint8_t model_pci_add_express(struct model_pci_function *function, uint8_t type);
/** Appends an extended capability after its 4-byte header. Returns its offset. */
uint16_t model_pci_add_extended(struct model_pci_function *function, uint16_t id, const void *body,
                                unsigned bytes);
/** Access control services: capability bits, and which control bits are on [PCIe 7.7.8]. */
uint16_t model_pci_add_acs(struct model_pci_function *function, uint16_t capability,
                           uint16_t control);
/** Makes bits of one 16-bit register of the function ignore writes. */
void model_pci_fix_bits(struct model_pci_function *function, uint16_t offset, uint16_t bits);
/** Says in the header that its device has several functions. */
void model_pci_make_multifunction(struct model_pci_function *function);
/** The raw 4 KiB, to read or change anything. */
uint8_t *model_pci_config(struct model_pci_function *function);
/** Takes it off the bus: reads give all ones. Or puts it back. */
void model_pci_remove(struct model_pci_function *function);
void model_pci_plug(struct model_pci_function *function);

#endif
