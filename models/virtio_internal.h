// SPDX-License-Identifier: MIT
/*
 * The inside of the virtio-iommu model: virtio.c (life), virtio_registers.c (registers over either
 * bus), virtio_queue.c (rings, requests, reports), virtio_domain.c (domains, mappings, accesses).
 * All of it runs with the unit locked.
 */
#ifndef MODELS_VIRTIO_INTERNAL_H
#define MODELS_VIRTIO_INTERNAL_H

#include "models/virtio.h"

#include <pthread.h>
#include <stdatomic.h>

#define FEATURE(n)         ((uint64_t)1 << (n))
#define F_INPUT_RANGE      FEATURE(0)
#define F_DOMAIN_RANGE     FEATURE(1)
#define F_MAP_UNMAP        FEATURE(2)
#define F_PROBE            FEATURE(4)
#define F_MMIO             FEATURE(5)
#define F_BYPASS_CONFIG    FEATURE(6)
#define F_VERSION_1        FEATURE(32)
#define F_ACCESS_PLATFORM  FEATURE(33)
#define F_ORDER_PLATFORM   FEATURE(36)
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 64u
#define CONFIG_BYTES       40u
/* Where things are in the BAR; common registers come first. */
#define AT_ISR               0x1000u
#define AT_DEVICE            0x2000u
#define AT_NOTIFY            0x3000u
#define AT_TABLE             0x4000u
#define NOTIFY_STEP          4u
#define NO_VECTOR            0xffffu
#define NOBODY               UINT32_MAX
#define VIRTIO_DOMAINS_MAX   256u
#define VIRTIO_ENDPOINTS_MAX 64u

enum {
    T_ATTACH = 1,
    T_DETACH,
    T_MAP,
    T_UNMAP,
    T_PROBE
};
enum {
    S_OK = 0,
    S_UNSUPP = 2,
    S_DEVERR = 3,
    S_INVAL = 4,
    S_RANGE = 5,
    S_NOENT = 6,
    S_NOMEM = 8
};

struct virtio_queue {
    uint16_t size, vector;
    bool enabled;
    uint64_t desc, driver, device;
    uint16_t seen; /**< of the available ring */
    uint16_t used;
};

struct virtio_mapping {
    uint64_t first, last, phys;
    uint32_t flags;
};

struct virtio_domain {
    uint32_t id;
    bool used, bypass;
    unsigned endpoints;
    struct virtio_mapping *mappings; /**< in order */
    unsigned count, room;
};

struct virtio_endpoint {
    uint32_t id;
    struct virtio_domain *domain; /**< NULL: in none */
};

/** A chain as it was popped: where the device reads, and where it writes. */
struct virtio_chain {
    uint16_t head;
    uint64_t in, out; /**< addresses: readable, writable */
    uint32_t in_bytes, out_bytes;
};

struct virtio_model {
    struct model_host *host;
    struct virtio_model_config config;
    pthread_mutex_t lock; /**< recursive; guards everything below */
    struct model_pci_function *function;
    uint8_t status;
    uint64_t accepted;
    uint32_t device_select, driver_select, queue_select;
    uint16_t config_vector;
    uint8_t generation, bypass;
    uint32_t interrupt_status;
    uint32_t table[4]; /**< entry 0 of the MSI-X table */
    struct virtio_queue queues[2];
    struct virtio_domain domains[VIRTIO_DOMAINS_MAX];
    struct virtio_endpoint endpoints[VIRTIO_ENDPOINTS_MAX];
    unsigned endpoint_count, mapping_count;
    struct virtio_model_injection inject;
    virtio_model_twist *twist;
    void *twist_arg;
    uint64_t accesses, taken, refusable;
    bool gone;
    struct virtio_model_stats stats;
};

__attribute__((format(printf, 2, 3))) void virtio_violate(struct virtio_model *unit,
                                                          const char *format, ...);
void virtio_lock(struct virtio_model *unit);
void virtio_unlock(struct virtio_model *unit);

static inline uint64_t virtio_seen(struct virtio_model *unit, enum virtio_model_word word,
                                   uint64_t honest)
{
    return unit->twist != NULL ? unit->twist(unit->twist_arg, word, honest) : honest;
}

static inline bool virtio_has(const struct virtio_model *unit, uint64_t feature)
{
    return (unit->accepted & feature) != 0;
}

/* virtio_registers.c */
extern const struct model_mmio_ops virtio_register_ops;
void virtio_reset(struct virtio_model *unit);

/* virtio_queue.c */
void virtio_requests_run(struct virtio_model *unit, unsigned limit);
void virtio_put_report(struct virtio_model *unit, const void *report, uint32_t bytes);

/* virtio_domain.c: what requests do; returns the status. `words` as the driver wrote them. */
uint8_t virtio_attach(struct virtio_model *unit, const uint32_t *words);
uint8_t virtio_detach(struct virtio_model *unit, const uint32_t *words);
uint8_t virtio_map(struct virtio_model *unit, const uint32_t *words);
uint8_t virtio_unmap(struct virtio_model *unit, const uint32_t *words);
bool virtio_endpoint_exists(const struct virtio_model *unit, uint32_t id);
void virtio_domains_clear(struct virtio_model *unit);

#endif
