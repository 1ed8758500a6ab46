// SPDX-License-Identifier: MIT
/*
 * The library on a machine with a virtio-iommu: 00:03.0 in a domain, one page mapped for it.
 */
#ifndef TESTS_UNIT_VIRTIO_SCENE_H
#define TESTS_UNIT_VIRTIO_SCENE_H

#include "scene.h"

#include "domain/domain.h"
#include "models/virtio.h"

#define RID_A SLUICE_RID(0, 3, 0)
#define RID_B SLUICE_RID(0, 4, 0)

struct virtio_scene {
    struct scene scene;
    struct virtio_model *unit;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_pages page; /**< mapped at SCENE_IOVA, filled with FILL */
};

#define FILL 0x5a

/** The scene's configuration for a device; `unit` must live as long. */
struct scene_config virtio_scene_config(const struct virtio_model_config *unit);
/** Machine and instance, not started. */
void virtio_scene_init(struct virtio_scene *at, const struct virtio_model_config *unit);
/** The same on a machine that was changed: virtio_scene_config(unit) and what the test wants. */
void virtio_scene_init_on(struct virtio_scene *at, const struct scene_config *config,
                          const struct virtio_model_config *unit);
/** Started, with device, domain and mapping. */
void virtio_scene_start(struct virtio_scene *at, const struct virtio_model_config *unit);
void virtio_scene_fill(struct virtio_scene *at);
/** Stops and asserts that nothing is left. */
void virtio_scene_finish(struct virtio_scene *at);
/** The same where the device was broken and `withheld` pages may be left. */
void virtio_scene_break_off(struct virtio_scene *at, unsigned at_least);

struct virtio_model_stats virtio_scene_stats(struct virtio_scene *at);
void virtio_scene_inject(struct virtio_scene *at, struct virtio_model_injection injection);
bool virtio_scene_degraded(struct virtio_scene *at);
/** What 00:03.0 reads there. */
int virtio_scene_reads(struct virtio_scene *at, sluice_iova_t iova);

#endif
