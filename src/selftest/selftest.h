// SPDX-License-Identifier: MIT
/*
 * The self-test inside (sluice/selftest.h).
 *
 *   run.c        who is tested, where it is put, and the way back     evidence.c  what is kept,
 * words area.c       the test's memory, and what has to lie in it         memory.c    steps about
 * memory access.c     what the device is asked for, and what came of it    message.c   and
 * interrupts
 *
 * The area is one block of sixteen pages of the smallest size that the unit maps. The first half
 * are targets, which mappings lead to; the other half are decoys: their physical addresses are the
 * IOVAs that the test uses. So a unit that does not translate at all leads the device to a decoy,
 * where it is seen, and to nobody's memory. Every second page is a guard that is never mapped.
 *
 * Each page is filled with a pattern of its own seed, which changes before each access that could
 * concern it; all sixteen are looked at after each.
 */
#ifndef SLUICE_SELFTEST_SELFTEST_H
#define SLUICE_SELFTEST_SELFTEST_H

#include "domain/domain.h"
#include "fault/fault.h"
#include "interrupt/interrupt.h"

#include <sluice/selftest.h>

/** Targets, and the slots of IOVA that decoys stand behind. */
enum test_page_index {
    PAGE_SCRATCH = 0,
    PAGE_FIRST = 2,
    PAGE_SECOND = 4,
    PAGE_VICTIM = 6,  /**< mapped nowhere, but for a control at its own address */
    PAGE_DECOYS = 8,  /**< from here on */
    PAGE_SECRET = 15, /**< as PAGE_VICTIM, for reads: what one step mapped is not another's */
    PAGES = 16,
};
enum test_slot {
    SLOT_SCRATCH = 0,
    SLOT_A = 2,
    SLOT_B = 4,
    SLOT_C = 6,
};

/** Where in its page the device reads and writes; the rest has to stay as it is. */
#define WINDOW_AT    0x340u
#define WINDOW_WORDS (SLUICE_SELFTEST_BYTES / sizeof(uint64_t))

struct test_page {
    uint64_t *virt;
    sluice_phys_t phys;
    uint64_t seed;  /**< of what the CPU wrote */
    uint64_t given; /**< not 0: seed of what the device has to have written to the window */
    bool open;      /**< the window may hold anything */
};

struct selftest {
    struct sluice *sluice;
    struct sluice_device *device;
    const struct sluice_selftest_config *config;
    struct sluice_domain *home;       /**< where the device was; NULL: in none */
    struct sluice_domain *domains[2]; /**< of the test; it mostly is in the first */
    struct sluice_pages block;
    unsigned order;
    uint64_t page_bytes;
    struct test_page pages[PAGES];
    uint64_t counter; /**< goes into every seed */
    bool non_coherent;
    /** Nothing more can be shown: an access may still be under way, or the library failed. */
    bool stuck;
    bool in_doubt; /**< the device may still reach the area */
    struct sluice_selftest_evidence evidence;
};

/** What one part of a step came to. */
struct finding {
    enum sluice_selftest_outcome outcome;
    const char *seen;
};

#define FINDING(what, why) ((struct finding){.outcome = SLUICE_SELFTEST_##what, .seen = (why)})
#define FINE               FINDING(PASSED, "")

static inline bool is_fine(struct finding finding)
{
    return finding.outcome == SLUICE_SELFTEST_PASSED;
}

/** The worse of two; the first of equals. */
static inline struct finding finding_worse(struct finding a, struct finding b)
{
    return b.outcome > a.outcome ? b : a;
}

/** Both are run, one after the other, whatever the first came to. */
#define ALSO(finding, next) ((finding) = finding_worse((finding), (next)))

/** The device address of a slot's window, and of a page's by its physical address. */
static inline sluice_iova_t slot_iova(const struct selftest *test, enum test_slot slot)
{
    return test->pages[PAGE_DECOYS + slot].phys + WINDOW_AT;
}

static inline sluice_iova_t own_iova(const struct selftest *test, unsigned page)
{
    return test->pages[page].phys + WINDOW_AT;
}

/* ---- area.c ---- */

/** Takes the memory, all of it at or below `last`. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status area_make(struct selftest *test, sluice_phys_t last);
/** Gives it back, or withholds it where it is in doubt. */
void area_free(struct selftest *test);
/** A seed that was never used. */
uint64_t area_seed(struct selftest *test, unsigned page);
/** Fills a page anew. */
void area_refill(struct selftest *test, unsigned page);
void area_refill_all(struct selftest *test);
/** Puts a seed's bytes where the device finds them, or takes out what it left there. */
void area_put_scratch(struct selftest *test, uint64_t seed);
void area_take_scratch(struct selftest *test, uint64_t out[WINDOW_WORDS]);
/** Lets the CPU see what the device wrote. */
void area_look(struct selftest *test);
/** Whether a page is as it has to be. After area_look. */
bool area_page_intact(const struct selftest *test, unsigned page);
/** The first page that is not as it has to be; PAGES: there is none. After area_look. */
unsigned area_first_changed(const struct selftest *test);
/** Whether these are the bytes of a page's window, as the CPU filled it: in any part. */
bool area_shows(const struct selftest *test, unsigned page, const uint64_t words[WINDOW_WORDS]);
/** Whether they are exactly those. */
bool area_is(const struct selftest *test, unsigned page, const uint64_t words[WINDOW_WORDS]);

/* ---- access.c ---- */

/** Controls: a write to `iova` arrives in this page and nowhere else; a read brings what is there.
 */
struct finding control_write(struct selftest *test, sluice_iova_t iova, unsigned page);
struct finding control_read(struct selftest *test, sluice_iova_t iova, unsigned page);
/** A write that must change nothing; what the device holds is not what lies in `page`. */
struct finding forbidden_write(struct selftest *test, sluice_iova_t iova, unsigned page);
/** A read that must bring nothing of any page, and a look at what it brought. */
struct finding forbidden_read(struct selftest *test, sluice_iova_t iova, unsigned page);
struct finding forbidden_look(struct selftest *test);
/** Sends a message, which must arrive or must not. */
struct finding send_message(struct selftest *test, const struct sluice_msi *msi, bool wanted);

/** Maps a page at an address of the test, or takes away what is there. */
struct finding test_map(struct selftest *test, unsigned domain, sluice_iova_t iova, unsigned page,
                        uint32_t prot);
struct finding test_unmap(struct selftest *test, unsigned domain, sluice_iova_t iova);
/** Moves the device into a domain of the test; NULL: blocks it. */
struct finding test_move(struct selftest *test, struct sluice_domain *domain);

/* ---- memory.c, message.c ---- */

/** Makes one step; mappings that it leaves are taken away by the caller. */
struct finding step_memory(struct selftest *test, enum sluice_selftest_step step);
struct finding step_message(struct selftest *test, enum sluice_selftest_step step);

/* ---- evidence.c ---- */

/** Writes a step down. */
void evidence_note(struct selftest *test, enum sluice_selftest_step step, struct finding finding,
                   uint32_t faults);
/** Sums the steps up, tells the log, and gives them to the unit. Under sluice->lock. */
void evidence_keep_locked(struct selftest *test);

#endif
