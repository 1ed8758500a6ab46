// SPDX-License-Identifier: MIT
/*
 * The whole library through its public API on a simulated machine: what a kernel would do, against
 * devices that keep no rules.
 */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include "models/machine.h"

#include <sluice/sluice.h>

#define SCENE_IOVA      ((sluice_iova_t)0x40000000)
#define SCENE_READWRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define SCENE_BAR_BASE  ((sluice_phys_t)0xfed90000)

struct scene_config {
    struct machine_config machine;
    bool avoid_queues;
    bool no_tables; /**< the test adds them itself */
    /** May change anything before the instance is made; NULL: nothing to change. */
    void (*configure)(struct sluice_config *config, void *arg);
    void *configure_arg;
};

struct scene {
    struct machine *machine;
    struct sluice *sluice;
    unsigned faults;
    struct sluice_fault fault; /**< the last */
};

/** SLUICE_TEST_UNIT in the environment says with which unit: amd, riscv, smmu3, virtio, else VT-d.
 */
struct scene_config scene_defaults(void);
bool scene_on_amd(void);
bool scene_on_riscv(void);
bool scene_on_smmu3(void);
bool scene_on_virtio(void);
/** Whether its unit remaps interrupts; the others take messages for writes. */
bool scene_remaps(void);
/** Whether its unit tells of what a source does that is blocked by an entry of its own. */
bool scene_tells_of_blocked(void);
/** Whether its page tables have no permission to write without one to read. */
bool scene_writers_read(void);
struct scene_config scene_defaults_amd(void);
/** Creates machine and instance and adds its tables; does not start. */
void scene_init(struct scene *scene, const struct scene_config *config);
/** As scene_init, and starts. */
void scene_start(struct scene *scene, const struct scene_config *config);
/** Stops if need be, destroys, and asserts that nothing is left and no violation was seen. */
void scene_finish(struct scene *scene);
/** Frees everything where the machine was broken on purpose; `withheld` pages may be left. */
void scene_finish_withheld(struct scene *scene, uint64_t withheld);

/** The unit completes no invalidation any more, or does so again. */
void scene_silence(struct scene *scene, bool silent);
/** The unit drops all that it has cached, as hardware may at any time. */
void scene_evict(struct scene *scene);

/** Power is lost and comes back: the unit's registers are as at reset, its caches empty. */
void scene_power_cycle(struct scene *scene);
/** The unit's registers read all ones from now on, or are there again. */
void scene_unplug(struct scene *scene, bool gone);

struct sluice_device *scene_device(struct scene *scene, uint16_t rid);
struct sluice_domain *scene_domain(struct scene *scene, enum sluice_domain_kind kind);
/** A page of memory filled with a byte. */
struct sluice_pages scene_page(struct scene *scene, uint8_t fill);
void scene_page_free(struct scene *scene, struct sluice_pages pages);
/** Maps one page for reading and writing. */
void scene_map(struct sluice_domain *domain, sluice_iova_t iova, const struct sluice_pages *page);

/** The byte that a device reads at an IOVA, or -1 when it is refused. */
int scene_reads(struct scene *scene, unsigned device, sluice_iova_t iova);
/** Whether a device's write of one byte reached memory at `virt`. */
bool scene_writes(struct scene *scene, unsigned device, sluice_iova_t iova,
                  const struct sluice_pages *page);
/** Takes the device out and forgets it. */
void scene_forget(struct sluice_device *device);

#endif
