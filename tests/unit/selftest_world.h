// SPDX-License-Identifier: MIT
/*
 * A self-test on a simulated machine: the device's hooks, and what can be wrong with the device or
 * with what stands between it and memory. SLUICE_TEST_UNIT says which unit.
 */
#ifndef TESTS_UNIT_SELFTEST_WORLD_H
#define TESTS_UNIT_SELFTEST_WORLD_H

#include "scene.h"

#define SELFTEST_RID SLUICE_RID(0, 3, 0)

/** What is wrong; each by itself. */
enum selftest_flaw {
    FLAW_NONE = 0,
    /* the device */
    FLAW_DEAD,       /**< does nothing, and says that it did */
    FLAW_ERRORS,     /**< reports an error at every access */
    FLAW_HANGS,      /**< an access does not end */
    FLAW_MUTE,       /**< shows nothing of what it holds */
    FLAW_STALE,      /**< reads only once, and holds that for ever */
    FLAW_WRITE_ONLY, /**< its reads bring nothing */
    /* the unit */
    FLAW_OPEN,           /**< lets everything through, untranslated */
    FLAW_OPEN_READS,     /**< reads alone */
    FLAW_READ_ONLY,      /**< writes to what may be read */
    FLAW_KEEPS,          /**< goes on using every translation it has seen */
    FLAW_KEEPS_READS,    /**< for reads alone */
    FLAW_SAME_DOMAIN,    /**< knows one domain alone: the first */
    FLAW_WHEN_BLOCKED,   /**< what is in no domain passes */
    FLAW_NEIGHBOUR,      /**< writes to the next page too */
    FLAW_BESIDE,         /**< writes a byte beside */
    FLAW_OLDER_MESSAGES, /**< messages of the older format pass */
    FLAW_ANY_ENTRY,      /**< every message raises the vector */
    FLAW_NO_MESSAGES,    /**< none does */
};

#define SELFTEST_KEPT 16u

struct selftest_world {
    struct scene scene; /**< first */
    struct sluice_device *device;
    enum selftest_flaw flaw;
    unsigned dies_after; /**< 0: never; else so many accesses are made, and no more */
    unsigned hangs_at;   /**< FLAW_HANGS: the access that does not end, from 1 */
    unsigned accesses;
    uint8_t held[SLUICE_SELFTEST_BYTES];
    bool has_read;
    struct {
        sluice_iova_t page;
        sluice_phys_t phys;
        bool write;
    } kept[SELFTEST_KEPT];
    unsigned kept_count;
    struct sluice_domain *first;
    unsigned fired;                                  /**< the vector of the test */
    void (*meanwhile)(struct selftest_world *world); /**< called at every access; or NULL */
};

#define SELFTEST_VECTOR 0x41u

extern const struct sluice_selftest_ops selftest_hooks;
/** The same without messages. */
extern const struct sluice_selftest_ops selftest_hooks_silent;

/** Starts the machine, and adds the device. */
void selftest_world_start(struct selftest_world *world, const struct scene_config *config);
/** Takes the device out and checks that nothing is left but `withheld` pages. */
void selftest_world_finish(struct selftest_world *world, uint64_t withheld);

/** Runs it with the hooks; the evidence is also what the unit keeps. */
enum sluice_status selftest_world_run(struct selftest_world *world,
                                      struct sluice_selftest_evidence *out);

/** The first steps are on memory, the others on interrupts. */
#define SELFTEST_MEMORY_STEPS SLUICE_SELFTEST_INTERRUPT_FORMAT

/** Steps on memory: those of `failed` failed, of `open` are inconclusive, all others passed. */
void selftest_expect(const struct sluice_selftest_evidence *evidence, unsigned failed,
                     unsigned open);

static inline enum sluice_selftest_outcome
selftest_outcome(const struct sluice_selftest_evidence *evidence, enum sluice_selftest_step step)
{
    return evidence->steps[step].outcome;
}

/** The unit is asked to remap interrupts: VT-d and AMD-Vi. */
void selftest_world_remaps(struct scene_config *config);
/** The unit claims that it invalidates, and does not; or is well again. */
void selftest_world_lose_invalidations(struct selftest_world *world, bool lose);

#endif
