// SPDX-License-Identifier: MIT
/*
 * What driver and device say to each other: features, configuration, requests and fault reports
 * [Virtio 5.13], and the rings they pass through [Virtio 2.7]. Little-endian throughout. Layouts
 * and pure functions; what the device wrote may be anything.
 */
#ifndef SLUICE_UNIT_VIRTIO_PROTOCOL_H
#define SLUICE_UNIT_VIRTIO_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/fault.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures below are used as they lie");

#define VIRTIO_ID_IOMMU 23u /**< [Virtio 5.13.1] */

/* Device status [Virtio 2.1]. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER      0x02u
#define VIRTIO_STATUS_DRIVER_OK   0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED      0x80u
#define VIRTIO_STATUS_GONE        0xffu /**< nobody answers there */

/* Feature bits [Virtio 5.13.3, 6]. */
#define VIOMMU_F_INPUT_RANGE     (1ull << 0)
#define VIOMMU_F_DOMAIN_RANGE    (1ull << 1)
#define VIOMMU_F_MAP_UNMAP       (1ull << 2)
#define VIOMMU_F_BYPASS          (1ull << 3)
#define VIOMMU_F_PROBE           (1ull << 4)
#define VIOMMU_F_MMIO            (1ull << 5)
#define VIOMMU_F_BYPASS_CONFIG   (1ull << 6)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_F_ORDER_PLATFORM  (1ull << 36)

/** Offsets in the device configuration [Virtio 5.13.4]. */
enum viommu_config_offset {
    VIOMMU_CONFIG_PAGE_SIZE_MASK = 0,
    VIOMMU_CONFIG_INPUT_START = 8,
    VIOMMU_CONFIG_INPUT_END = 16, /**< inclusive */
    VIOMMU_CONFIG_DOMAIN_START = 24,
    VIOMMU_CONFIG_DOMAIN_END = 28, /**< inclusive */
    VIOMMU_CONFIG_PROBE_SIZE = 32,
    VIOMMU_CONFIG_BYPASS = 36, /**< one byte */
    VIOMMU_CONFIG_BYTES = 40,
};

enum viommu_request_type {
    VIOMMU_ATTACH = 1,
    VIOMMU_DETACH = 2,
    VIOMMU_MAP = 3,
    VIOMMU_UNMAP = 4,
    VIOMMU_PROBE = 5,
};

enum viommu_status {
    VIOMMU_S_OK = 0,
    VIOMMU_S_IOERR = 1,
    VIOMMU_S_UNSUPP = 2,
    VIOMMU_S_DEVERR = 3,
    VIOMMU_S_INVAL = 4,
    VIOMMU_S_RANGE = 5,
    VIOMMU_S_NOENT = 6,
    VIOMMU_S_FAULT = 7,
    VIOMMU_S_NOMEM = 8,
    VIOMMU_S_NONE = 0xff, /**< the driver's own: nothing was written */
};

#define VIOMMU_ATTACH_F_BYPASS 1u
#define VIOMMU_MAP_F_READ      1u
#define VIOMMU_MAP_F_WRITE     2u
#define VIOMMU_MAP_F_MMIO      4u

/**
 * Any request but its tail, in 32-bit words: the type in the lowest byte of the first, 64-bit
 * fields as two [Virtio 5.13.6.3 to 5.13.6.7].
 */
struct viommu_request {
    uint32_t word[18]; /**< the longest: PROBE */
    uint8_t bytes;
};

struct viommu_tail {
    uint8_t status;
    uint8_t reserved[3];
};

_Static_assert(sizeof(struct viommu_tail) == 4, "tails are 4 bytes [Virtio 5.13.6]");

static inline struct viommu_request viommu_attach_request(uint32_t domain, uint32_t endpoint,
                                                          uint32_t flags)
{
    return (struct viommu_request){.word = {VIOMMU_ATTACH, domain, endpoint, flags}, .bytes = 20};
}

static inline struct viommu_request viommu_detach_request(uint32_t domain, uint32_t endpoint)
{
    return (struct viommu_request){.word = {VIOMMU_DETACH, domain, endpoint}, .bytes = 20};
}

/** What a domain's device is to know: [first, last] goes to phys. */
struct viommu_mapping {
    uint64_t first;
    uint64_t last;
    uint64_t phys;
    uint32_t flags;
};

static inline struct viommu_request viommu_map_request(uint32_t domain,
                                                       const struct viommu_mapping *mapping)
{
    return (struct viommu_request){
        .word = {VIOMMU_MAP, domain, (uint32_t)mapping->first, (uint32_t)(mapping->first >> 32),
                 (uint32_t)mapping->last, (uint32_t)(mapping->last >> 32), (uint32_t)mapping->phys,
                 (uint32_t)(mapping->phys >> 32), mapping->flags},
        .bytes = 36};
}

static inline struct viommu_request viommu_unmap_request(uint32_t domain, uint64_t first,
                                                         uint64_t last)
{
    return (struct viommu_request){.word = {VIOMMU_UNMAP, domain, (uint32_t)first,
                                            (uint32_t)(first >> 32), (uint32_t)last,
                                            (uint32_t)(last >> 32)},
                                   .bytes = 28};
}

static inline struct viommu_request viommu_probe_request(uint32_t endpoint)
{
    return (struct viommu_request){.word = {VIOMMU_PROBE, endpoint}, .bytes = 72};
}

/* ---- properties of an endpoint [Virtio 5.13.6.7] ---- */

#define VIOMMU_PROPERTY_TYPE_MASK 0xfffu
#define VIOMMU_PROPERTY_NONE      0u
#define VIOMMU_PROPERTY_RESV_MEM  1u
#define VIOMMU_RESV_MEM_BYTES     20u /**< after the property's own 4 bytes */
#define VIOMMU_RESV_MEM_RESERVED  0u
#define VIOMMU_RESV_MEM_MSI       1u

/* ---- fault reports [Virtio 5.13.6.8] ---- */

struct viommu_fault {
    uint8_t reason;
    uint8_t reserved[3];
    uint32_t flags;
    uint32_t endpoint;
    uint32_t reserved2;
    uint64_t address;
};

_Static_assert(sizeof(struct viommu_fault) == 24, "fault reports are 24 bytes [Virtio 5.13.6.8]");

#define VIOMMU_FAULT_UNKNOWN   0u
#define VIOMMU_FAULT_DOMAIN    1u
#define VIOMMU_FAULT_MAPPING   2u
#define VIOMMU_FAULT_F_READ    (1u << 0)
#define VIOMMU_FAULT_F_WRITE   (1u << 1)
#define VIOMMU_FAULT_F_ADDRESS (1u << 8)

/** A report in the common form; unit, segment and time are the caller's to fill in. */
void viommu_fault_decode(const struct viommu_fault *report, struct sluice_fault *out);

/* ---- split virtqueues [Virtio 2.7] ---- */

struct virtq_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags;
    uint16_t next;
};

_Static_assert(sizeof(struct virtq_descriptor) == 16, "descriptors are 16 bytes [Virtio 2.7.5]");

#define VIRTQ_F_NEXT         1u
#define VIRTQ_F_WRITE        2u /**< the device writes this buffer */
#define VIRTQ_USED_NO_NOTIFY 1u /**< the device looks by itself [Virtio 2.7.8] */
#define VIRTQ_AVAIL_NO_EVENT 1u /**< the driver looks by itself [Virtio 2.7.6] */

struct virtq_used_entry {
    uint32_t id;    /**< first descriptor of the chain */
    uint32_t bytes; /**< that the device wrote */
};

#endif
