// SPDX-License-Identifier: MIT
/*
 * The library on a simulated machine with interrupt remapping, and what its devices' messages
 * become.
 */
#ifndef TESTS_UNIT_INTERRUPT_SCENE_H
#define TESTS_UNIT_INTERRUPT_SCENE_H

#include "scene.h"

#define RID_A      SLUICE_RID(0, 3, 0)
#define RID_B      SLUICE_RID(0, 4, 0)
#define RID_BELOW  SLUICE_RID(1, 0, 0) /**< behind a root port */
#define RID_PCI    SLUICE_RID(2, 5, 0) /**< behind a bridge from PCI Express, sends as 02:00.0 */
#define RID_BRIDGE SLUICE_RID(2, 0, 0)

struct interrupt_scene {
    struct scene scene; /**< first */
    struct vtd_model *unit;
    unsigned fired;                  /**< interrupts that came out */
    struct vtd_model_interrupt last; /**< the last */
    unsigned by_vector[256];
};

/** A machine whose one unit remaps, with x2APIC destinations. */
struct scene_config interrupt_defaults(void);
/** What configures an instance for it: interrupts remapped; a scene_config.configure. */
void interrupt_configure(struct sluice_config *config, void *arg);
/** The same, asking for x2APIC destinations. */
void interrupt_configure_x2apic(struct sluice_config *config, void *arg);
void interrupt_scene_start(struct interrupt_scene *scene, const struct scene_config *config);

struct sluice_interrupt *interrupt_alloc(struct interrupt_scene *scene,
                                         enum sluice_interrupt_kind kind,
                                         struct sluice_device *device, unsigned count);
/** Fixed, physical. */
enum sluice_status interrupt_route(struct sluice_interrupt *interrupt, unsigned index,
                                   uint8_t vector, uint32_t destination);
/** A device sends entry `index`'s message; why it was refused, or VTD_REASON_NONE. */
uint8_t interrupt_send(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                       unsigned index, uint16_t rid);
/** Asserts that the device's message fires this vector at this CPU, once. */
void interrupt_expect(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                      unsigned index, uint16_t rid, uint8_t vector, uint32_t destination);
/** Asserts that it fires none, and that the fault record tells reason and source. */
void interrupt_expect_refused(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                              unsigned index, uint16_t rid, uint8_t reason);
/** The index of a message's entry. */
uint32_t interrupt_index(struct sluice_interrupt *interrupt, unsigned index);

#endif
