// SPDX-License-Identifier: MIT
/*
 * What a device was told to map in one domain: runs of addresses, each one MAP request, ordered by
 * address in a skip list. A device removes mappings whole or not at all [Virtio 5.13.6.6], so the
 * runs have to be known as they were sent.
 *
 * The owner serialises; nothing here takes a lock.
 */
#ifndef SLUICE_UNIT_VIRTIO_TOLD_H
#define SLUICE_UNIT_VIRTIO_TOLD_H

#include "core/instance.h"
#include "unit/virtio/protocol.h"

#define TOLD_HEIGHT 14u /**< levels of the list: 4 ** 14 runs before searches get longer */

struct told_run {
    struct viommu_mapping mapping;
    unsigned height;
    struct told_run *next[]; /**< at each level below `height` */
};

struct told {
    struct sluice *sluice;
    struct told_run *head[TOLD_HEIGHT];
    uint64_t count;
    uint32_t random; /**< state; heights only have to be spread */
};

void told_init(struct told *told, struct sluice *sluice);
/** Forgets everything. */
void told_clear(struct told *told);

/** The first run that ends at or after `iova`; NULL: there is none. */
struct told_run *told_from(const struct told *told, uint64_t iova);

static inline struct told_run *told_next(const struct told_run *run)
{
    return run->next[0];
}

/** A run that is in no list yet; NULL: no memory. */
struct told_run *told_make(struct told *told, const struct viommu_mapping *mapping);
/** Puts it in; it overlaps nothing that is there. */
void told_add(struct told *told, struct told_run *run);
/** Takes it out and frees it. */
void told_remove(struct told *told, struct told_run *run);
/** Frees one that is in no list. */
void told_free(struct told *told, struct told_run *run);

#endif
