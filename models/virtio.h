// SPDX-License-Identifier: MIT
/*
 * A model of a virtio-iommu device, over PCI or MMIO, written from the specification
 * [Virtio 2.7, 4.1, 4.2, 5.13] and independent of the driver that is tested on it.
 *
 *     struct virtio_model_config config = virtio_model_defaults();
 *
 *     config.mmio = true;
 *     unit = virtio_model_create(host, &config);   // registers appear at config.base
 *     ... software programs it through the host's hooks; endpoint IDs are requester IDs ...
 *
 * It does what requests say and nothing else: domains, endpoints and mappings are kept as they were
 * asked for, and every access is held against them. What software does against the specification
 * is recorded with model_host_violate. Each unit has one lock; all functions may be called from any
 * thread.
 */
#ifndef MODELS_VIRTIO_H
#define MODELS_VIRTIO_H

#include "models/unit.h"

struct virtio_model;

#define VIRTIO_MODEL_REGIONS_MAX 320u

/** When requests are taken. */
enum virtio_model_mode {
    VIRTIO_MODEL_AT_NOTIFY = 0, /**< all of them, within the notification */
    VIRTIO_MODEL_AT_TICK,       /**< one each time software looks at the clock */
};

struct virtio_model_region {
    uint64_t first, last; /**< inclusive */
    bool message;         /**< MSI, else reserved */
};

/** What the device is built as. Use virtio_model_defaults() and change fields. */
struct virtio_model_config {
    bool mmio;          /**< else PCI */
    sluice_phys_t base; /**< of the registers, or of BAR 0; 0xfeb00000 */
    bool legacy;        /**< MMIO: says that it is of the version before 1.0 */
    uint32_t wire;      /**< MMIO: number of its interrupt; 0x4f */
    uint16_t rid;       /**< PCI: 00:01.0 */
    uint64_t features;  /**< offered; all that the driver knows */
    uint64_t page_size_mask;
    uint64_t input_first, input_last;   /**< 48 bits */
    uint32_t domain_first, domain_last; /**< 0 to 0xffff */
    uint32_t probe_size;                /**< 512 */
    unsigned queue_most[2];             /**< 256 */
    uint8_t bypass;                     /**< 1, as QEMU boots */
    bool messages;                      /**< PCI: has MSI-X; true */
    bool reversed;       /**< completes what one notification brought from the last to the first */
    bool keeps_domains;  /**< over a reset, as QEMU 10.0's */
    uint32_t unknown_id; /**< no endpoint has this ID; 0: all there are */
    unsigned mappings_most; /**< then it is out of memory; 0: no limit */
    enum virtio_model_mode mode;
    struct virtio_model_region regions[VIRTIO_MODEL_REGIONS_MAX];
    unsigned region_count; /**< 1: messages, as on a PC */
};

struct virtio_model_config virtio_model_defaults(void);
struct virtio_model *virtio_model_create(struct model_host *host,
                                         const struct virtio_model_config *config);
/** Frees it, before its host; its registers must not be touched any more. */
void virtio_model_destroy(struct virtio_model *unit);

/** Results carry the reason of the fault report, plus 1 [Virtio 5.13.6.8]; 0: no report. */
bool virtio_model_dma(struct virtio_model *unit, const struct model_dma_request *request,
                      void *data, size_t bytes, struct model_dma_result *result);
/** For devices; the unit is the struct virtio_model. */
extern const struct model_unit_ops virtio_model_ops;

/** What was done, for tests that count. */
struct virtio_model_stats {
    uint64_t notified;    /**< of the request queue */
    uint64_t requests[6]; /**< by type */
    uint64_t refused;     /**< answered with anything but OK */
    uint64_t reports, reports_lost;
    uint64_t passed; /**< accesses that bypassed */
    uint64_t most_in_flight;
};

void virtio_model_stats(struct virtio_model *unit, struct virtio_model_stats *out);
unsigned virtio_model_mappings(struct virtio_model *unit);
unsigned virtio_model_domains(struct virtio_model *unit);
uint8_t virtio_model_bypass(struct virtio_model *unit);
/** The lowest of the three addresses that a queue was given; 0: none. */
uint64_t virtio_model_queue_address(struct virtio_model *unit, unsigned queue);
/** An ATTACH or MAP of an owner before us, as it lies in memory; what is left of it stays. */
void virtio_model_request(struct virtio_model *unit, const uint32_t *words);
/** A fault report as a device might write it, whatever it says. */
void virtio_model_report(struct virtio_model *unit, const void *report, uint32_t bytes);
/** Power was lost: as new, bypass as configured. */
void virtio_model_power_cycle(struct virtio_model *unit);

/** What the device does wrong, each on its own; zeros mean healthy. */
struct virtio_model_injection {
    bool stuck;        /**< requests are not taken */
    bool stuck_reset;  /**< status never becomes 0 */
    bool stuck_bypass; /**< bypass cannot be turned off */
    bool refuses_features;
    bool moving_config;      /**< the generation changes at every look */
    unsigned torn_configs;   /**< so often, its configuration changes between two halves of it */
    bool queue_in_use;       /**< queues say that they are enabled, also after a reset */
    bool silent;             /**< completes requests without writing an answer */
    bool lost_unmaps;        /**< says OK to UNMAP, and keeps the mappings */
    uint64_t gone_at;        /**< registers are all ones from the n-th access on; 1 is the next */
    uint64_t needs_reset_at; /**< the n-th request is not answered, and the status says so */
    uint8_t refuse_type;     /**< requests of this type ... */
    uint64_t refuse_at;      /**< ... from the n-th of them on are refused ... */
    uint64_t refuse_count;   /**< ... so many; 0: all */
    uint8_t refuse_status;   /**< ... with this */
    bool bad_id;             /**< completes a request that is not in flight */
    bool bad_id_twice;       /**< completes the same one twice */
    bool bad_index;          /**< the used index jumps */
    uint32_t bad_bytes;      /**< claims to have written so much; 0: the truth */
    bool bad_event_id, bad_event_index, short_event;
    uint16_t property_bytes; /**< length in the first property of a PROBE; 0: the truth */
};

void virtio_model_inject(struct virtio_model *unit, const struct virtio_model_injection *injection);

/** What software gets to see of the device; each can be made another by a function, for fuzzing. */
enum virtio_model_word {
    VIRTIO_MODEL_REGISTER,   /**< read */
    VIRTIO_MODEL_CONFIG,     /**< read */
    VIRTIO_MODEL_STATUS,     /**< of a request that was done; the others keep theirs */
    VIRTIO_MODEL_USED_ID,    /**< in an entry of a used ring */
    VIRTIO_MODEL_USED_BYTES, /**< likewise */
    VIRTIO_MODEL_USED_INDEX,
    VIRTIO_MODEL_USED_FLAGS,
    VIRTIO_MODEL_PROPERTY, /**< 4 bytes of an endpoint's properties */
    VIRTIO_MODEL_REPORT,   /**< 4 bytes of a fault report */
    VIRTIO_MODEL_WORDS
};

/** Returns what is seen instead of `honest`. Called with the unit locked. */
typedef uint64_t virtio_model_twist(void *arg, enum virtio_model_word word, uint64_t honest);
/** NULL: the truth again. */
void virtio_model_set_twist(struct virtio_model *unit, virtio_model_twist *twist, void *arg);

#endif
