// SPDX-License-Identifier: MIT
/*
 * The laboratory: the devices found, the library instance that guards them (or none), and the
 * helpers every scenario uses. Scenarios get it as their only argument and name no kind of IOMMU.
 */
#ifndef MACHINE_LAB_H
#define MACHINE_LAB_H

#include "dma.h"
#include "edu.h"
#include "expect.h"
#include "nvme.h"
#include "report.h"
#include "virtio_rng.h"

#include <sluice/sluice.h>

#define LAB_EDUS    4u
#define LAB_DEVICES (LAB_EDUS + 2u)
#define LAB_DOMAINS 4u
#define LAB_HANDLES 4u
#define LAB_PAGES   48u
#define LAB_FAULTS  64u

/** Memory of a scenario, both addresses. */
struct page {
    uint8_t *virt;
    uint64_t phys;
    unsigned order;
};

/** A device as the library knows it. */
struct guarded {
    struct pci_device *pci;
    struct sluice_device *handle;
};

struct lab {
    struct edu edus[LAB_EDUS];
    unsigned edu_count;
    struct edu *plain;    /* reaches few bits of addresses, `plain_bits` */
    struct edu *wide;     /* reaches 64 bits */
    struct edu *firmware; /* has memory that firmware reserved for it */
    unsigned plain_bits;
    struct edu *bridged; /* sits behind a conventional bridge */
    struct pci_device *rng, *nvme;
    struct page reserved;   /* what firmware reserved for `firmware` */
    bool reserved_in_table; /* a table says so; else it is described by hand */

    struct sluice *sluice; /* NULL while nothing guards */
    const struct expectation *expect;
    unsigned iova_bits;    /* the narrowest unit's */
    uint32_t flood_faults; /* of instances to come: as in sluice_config */
    uint64_t silence_ns;
    struct guarded guarded[LAB_DEVICES];
    unsigned guarded_count;
    struct sluice_interrupt *interrupts[LAB_EDUS]; /* of the edus, where they are remapped */

    /* What the running scenario holds; lab_release gives it back. */
    struct sluice_domain *domains[LAB_DOMAINS];
    unsigned domain_count;
    struct sluice_dma *handles[LAB_HANDLES];
    unsigned handle_count;
    struct page pages[LAB_PAGES];
    unsigned page_count;

    struct sluice_fault faults[LAB_FAULTS];
    struct sluice_dma_misuse misuse; /* the last that the DMA API's checking mode found */
    volatile unsigned misuse_count;
    volatile unsigned quarantines, recoveries; /* the library told of */
    volatile unsigned fault_count; /* all since lab_forget_faults; the first LAB_FAULTS are kept */
};

struct scenario {
    const char *name, *title;
    void (*run)(struct lab *lab);
};

/* Each ends with an entry whose name is NULL. */
extern const struct scenario scenarios_open[];      /* without an IOMMU */
extern const struct scenario scenarios_access[];    /* mapped, unmapped, permissions, revocation */
extern const struct scenario scenarios_domain[];    /* who is in which domain */
extern const struct scenario scenarios_nested[];    /* a guest's tables on ours */
extern const struct scenario scenarios_group[];     /* who cannot be kept from whom */
extern const struct scenario scenarios_shape[];     /* kinds of addresses and pages */
extern const struct scenario scenarios_device[];    /* whole drivers behind the IOMMU */
extern const struct scenario scenarios_dma[];       /* drivers on the DMA API */
extern const struct scenario scenarios_interrupt[]; /* through entries of the library */
extern const struct scenario scenarios_level[];     /* what can be promised here */
extern const struct scenario scenarios_selftest[];  /* the library's own look at its units */
extern const struct scenario scenarios_bounce[];    /* the DMA API without an IOMMU */
extern const struct scenario scenarios_hostile[];   /* a device misbehaves beside another's work */
extern const struct scenario scenarios_storm[];     /* a disk misbehaves, once or by the hundred */
extern const struct scenario scenarios_silence[];   /* its unit does not listen to it */
extern const struct scenario scenarios_platform[];  /* firmware's wishes, sleep, handover, stop */

/** The same where there is no IOMMU; a scenario of its own. */
void selftest_nothing(struct lab *lab);

/** Finds the devices and tells about them. */
void lab_find_devices(struct lab *lab);

/**
 * Creates an instance, feeds it every firmware table (with the region reserved for
 * lab->firmware added) and starts it. *out_status says why not when it returns false.
 */
bool lab_start(struct lab *lab, enum sluice_status *out_status);
/** Only creates an instance: nothing is described to it, and no device guarded. */
enum sluice_status lab_create(struct lab *lab);
/** Adds every device to the instance. */
bool lab_guard_devices(struct lab *lab);
/** Stops and destroys the instance. */
bool lab_stop(struct lab *lab);
/**
 * An instance anew, for which so many faults within a second are a flood, and whose silences last
 * so long; 0 for the usual.
 */
bool lab_restart(struct lab *lab, uint32_t flood_faults, uint64_t silence_ns);
/** Drops the pointers to an instance that somebody else has taken the hardware from. */
void lab_abandon(struct lab *lab);

/** The library's handle of a device, NULL when it has none. */
struct sluice_device *lab_device(struct lab *lab, const struct pci_device *pci);

/** A new domain for this device, or NULL with a failed check. */
struct sluice_domain *lab_domain(struct lab *lab, enum sluice_domain_kind kind,
                                 struct sluice_device *device);

/** The same with a configuration. */
struct sluice_domain *lab_domain_with(struct lab *lab, const struct sluice_domain_config *config);

/** Makes the library forget a device and know it again, as one that is trusted or not. */
bool lab_set_trust(struct lab *lab, const struct pci_device *pci, bool untrusted);
/**
 * The same for how many faults of it are too many within the usual window; SLUICE_FAULTS_UNLIMITED
 * is what all devices begin with.
 */
bool lab_set_limit(struct lab *lab, const struct pci_device *pci, uint32_t max_faults);

/** The smallest page that domains can map here: what "a page" is in scenarios. */
unsigned lab_page_bytes(void);
#define LAB_PAGE lab_page_bytes()

/** Zeroed pages (of lab_page_bytes) below 4 GiB; no memory ends the run. */
struct page lab_page(struct lab *lab, unsigned order);
/** The same above 4 GiB, where the machine has memory there. */
struct page lab_high_page(struct lab *lab, unsigned order);
/** Gives one back before the scenario ends. */
void lab_page_free(struct lab *lab, struct page page);

/** Takes all devices out of their domains, frees domains and pages; true when all of it worked. */
bool lab_release(struct lab *lab);

/** What to map with for a device that shall write: writing alone where the tables can say that. */
uint32_t lab_write(const struct lab *lab);
/** Maps and says so. */
bool lab_map(struct sluice_domain *domain, uint64_t iova, uint64_t phys, uint64_t bytes,
             uint32_t prot);
/** Unmaps, says so, and checks that all of it was mapped. */
bool lab_unmap(struct sluice_domain *domain, uint64_t iova, uint64_t bytes);

void lab_forget_faults(struct lab *lab);
/** How often the library says that this device has faulted; UINT64_MAX when it is cut off. */
uint64_t lab_faults_of(struct sluice_device *device);
/**
 * Checks that the hardware logged this device's access at this address as stopped, and tells what
 * it logged. `reasons` is a set of 1 << enum sluice_fault_reason.
 */
void lab_check_fault(struct lab *lab, const struct pci_device *pci, enum sluice_access access,
                     uint64_t iova, unsigned reasons);
/** Checks that a refused message of this requester was logged, and tells what it logged. */
void lab_check_interrupt_fault(struct lab *lab, uint16_t rid);
/** Whether anything of this device was logged, and whether the hardware admitted to losing some. */
bool lab_has_fault(struct lab *lab, const struct pci_device *pci, bool *out_lost);
/** Checks that nothing was logged since lab_forget_faults. */
void lab_check_no_fault(struct lab *lab);

/** A machine_dma whose addresses are IOVAs of a domain of the library. */
struct domain_dma {
    struct machine_dma dma; /* first */
    struct sluice_domain *domain;
    uint64_t next; /* addresses are handed out upwards and never again */
};
void domain_dma_init(struct domain_dma *dma, struct sluice_domain *domain, uint64_t first);

/** Fills memory with a pattern that depends on the seed and the position. */
void fill_pattern(void *memory, size_t bytes, uint32_t seed);
bool has_pattern(const void *memory, size_t bytes, uint32_t seed);
/** Whether all bytes have this value. */
bool all_bytes(const void *memory, size_t bytes, uint8_t value);
/** FNV-1a over the bytes. */
uint64_t checksum(const void *memory, size_t bytes);

/** "0000:00:05.0" */
const char *device_text(const struct pci_device *device, char out[16]);

#endif
