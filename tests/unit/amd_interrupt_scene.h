// SPDX-License-Identifier: MIT
/*
 * The library on a simulated machine with an AMD-Vi unit that remaps interrupts, and what its
 * devices' messages become.
 */
#ifndef TESTS_UNIT_AMD_INTERRUPT_SCENE_H
#define TESTS_UNIT_AMD_INTERRUPT_SCENE_H

#include "interrupt/interrupt.h"
#include "scene.h"

#define RID_A       SLUICE_RID(0, 3, 0)
#define RID_B       SLUICE_RID(0, 4, 0)
#define RID_BELOW   SLUICE_RID(1, 0, 0) /**< behind a root port */
#define RID_PCI     SLUICE_RID(2, 5, 0) /**< behind a bridge from PCI Express, sends as 02:00.0 */
#define RID_SIBLING SLUICE_RID(2, 6, 0) /**< behind the same */
#define RID_BRIDGE  SLUICE_RID(2, 0, 0)

#define UNIT_BASE ((sluice_phys_t)0xfeb80000)

/* Codes of events [AMD 2.5]. */
#define ILLEGAL_ENTRY 1u
#define PAGE_FAULT    2u
#define UNREADABLE    4u

struct amd_scene {
    struct scene scene; /**< first */
    struct amdvi_model *unit;
    unsigned fired;
    struct amdvi_model_interrupt last;
};

/** A machine whose unit has wide entries and x2APIC destinations, and two devices behind a bridge.
 */
struct scene_config amd_defaults(void);
void amd_configure(struct sluice_config *config, void *arg);
void amd_configure_x2apic(struct sluice_config *config, void *arg);
/** Creates the machine; does not start. */
void amd_scene_init(struct amd_scene *scene, const struct scene_config *config);
void amd_scene_start(struct amd_scene *scene, const struct scene_config *config);
struct model_host *amd_host(struct amd_scene *scene);

enum sluice_status amd_try_alloc(struct amd_scene *scene, enum sluice_interrupt_kind kind,
                                 uint16_t rid, unsigned count, struct sluice_interrupt **out);
/** For IOAPIC and HPET, `rid` means nothing. */
struct sluice_interrupt *amd_alloc(struct amd_scene *scene, enum sluice_interrupt_kind kind,
                                   uint16_t rid, unsigned count);
/** Fixed, physical. */
enum sluice_status amd_route(struct sluice_interrupt *interrupt, unsigned index, uint8_t vector,
                             uint32_t destination);
void amd_free(struct sluice_interrupt *interrupt);
uint32_t amd_index(struct sluice_interrupt *interrupt, unsigned index);
/** A requester sends entry `index`'s message; the event that it became, or 0. */
uint8_t amd_send(struct amd_scene *scene, struct sluice_interrupt *interrupt, unsigned index,
                 uint16_t rid);
/** Asserts that it fires this vector at this CPU, once. */
void amd_expect(struct amd_scene *scene, struct sluice_interrupt *interrupt, unsigned index,
                uint16_t rid, uint8_t vector, uint32_t destination);
/** Asserts that any message fires nothing, and that a fault tells whose it was. */
void amd_expect_refused(struct amd_scene *scene, uint16_t rid, uint32_t data, uint8_t event);
struct sluice_interrupt_info amd_info(struct amd_scene *scene);
/** Word 2 of a requester's device entry, where the unit reads it. */
uint64_t *amd_fields(struct amd_scene *scene, uint16_t rid);

#endif
