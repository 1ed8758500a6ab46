// SPDX-License-Identifier: MIT
/*
 * The self-test: one device that does DMA on request shows whether its unit really confines it.
 *
 *     sluice_start -> sluice_device_add -> sluice_selftest_run(device, ...) -> evidence of its unit
 *
 * Everything else that the library says of protection is what it has programmed. This is what came
 * of it: the library puts the device into domains of its own, has it read and write what it may and
 * what it may not, and looks at memory. What a step forbids is tried between two accesses that must
 * work (controls), so that a device which is dead, deaf or lame proves nothing: such a step is
 * inconclusive, and that counts as failed. Faults that the unit reports are told, but judge
 * nothing.
 *
 * The pages are the library's own, from the host's page hook, and so is the memory at every address
 * that the device is told to use: a unit that lets everything through does no harm with it. What is
 * written there differs for each page and each access, so that nothing stale can pass for an
 * answer.
 *
 * The evidence belongs to a unit and is kept until it stops: run it once for each unit, with a
 * device behind it. sluice_overview_* and sluice_report tell it. Level strict is not given while a
 * unit's last self-test failed; with sluice_config.require_selftest it needs one that passed whole,
 * on every unit. Since there is nothing to test before start, an instance that demands it starts
 * below and is raised afterwards:
 *
 *     config.protection = SLUICE_PROTECTION_STANDARD;
 *     config.require_selftest = true;
 *     ... sluice_start, sluice_device_add ...
 *     status = sluice_selftest_run(device, &test, NULL);
 *     if (status == SLUICE_OK)
 *         status = sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT);
 *
 * Nothing takes strict away again by itself, no later failure either, as with a unit that becomes
 * degraded: the log says it loudly.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_SELFTEST_H
#define SLUICE_SELFTEST_H

#include <sluice/device.h>
#include <sluice/interrupt.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How much each access of the device moves. */
#define SLUICE_SELFTEST_BYTES 64u

/**
 * A page that the device may read and write whenever it is in a domain of the test, for devices
 * that nothing can be said to but by DMA.
 */
struct sluice_selftest_scratch {
    void *virt;         /**< SLUICE_SELFTEST_BYTES, where the CPU finds them */
    sluice_iova_t iova; /**< and where the device does */
};

/**
 * What makes the device do DMA. It has a buffer of SLUICE_SELFTEST_BYTES bytes of its own, however
 * it keeps them: `load` and `show` are how the CPU fills it and looks into it, `write` and `read`
 * how the device moves it to an address and from there, whatever the address is. Each waits until
 * the device says that it is done, and no longer than is sensible; each returns:
 *
 *   OK        done, as far as the device knows
 *   TIMEOUT   not done in time: the access may still come. The test ends there
 *   others    the device reported an error, and is ready for the next access
 *
 * An access that is stopped may end with OK or with an error: memory is looked at, not this.
 * Context: the caller's of sluice_selftest_run, no lock held; may sleep; must not call functions
 * of the library for this device or its unit.
 */
struct sluice_selftest_ops {
    /** Brings the bytes that lie in the scratch page into the device. */
    enum sluice_status (*load)(void *arg, const struct sluice_selftest_scratch *scratch);
    /** Brings what the device holds into the scratch page. */
    enum sluice_status (*show)(void *arg, const struct sluice_selftest_scratch *scratch);
    /** The device writes what it holds to `iova`. On OK it has left every buffer on the way. */
    enum sluice_status (*write)(void *arg, sluice_iova_t iova);
    /** The device reads at `iova`; it holds that afterwards. */
    enum sluice_status (*read)(void *arg, sluice_iova_t iova);
    /**
     * The device sends this message as its own interrupt, and what comes of it is waited for,
     * bounded. *out_arrived: the vector of sluice_selftest_config.route fired. The device is left
     * programmed with the message. May be NULL: forged interrupts are not tested.
     */
    enum sluice_status (*message)(void *arg, const struct sluice_selftest_scratch *scratch,
                                  const struct sluice_msi *msi, bool *out_arrived);
};

struct sluice_selftest_config {
    const struct sluice_selftest_ops *ops; /**< used during the call only */
    void *arg;                             /**< handed to every one of them */
    unsigned address_bits;                 /**< that the device can put out; 0: 64 */
    bool non_coherent;                     /**< its DMA does not snoop CPU caches */
    /** With ops->message: a CPU and a vector that nothing else fires while the test runs. */
    struct sluice_interrupt_route route;
    /**
     * With ops->message, where interrupts are isolated by the interrupt controller and not remapped
     * (only the host knows its messages then): the message that fires the vector when the device
     * sends it, and the one that fires the same vector when another device does. Without
     * them forged interrupts are not tested there.
     */
    bool has_messages;
    struct sluice_msi own_message;
    struct sluice_msi others_message;
};

/** What is tried. */
enum sluice_selftest_step {
    SLUICE_SELFTEST_MAPPED_WRITE = 0, /**< a write arrives where it is mapped to, and only there */
    SLUICE_SELFTEST_MAPPED_READ,      /**< a read brings what lies there */
    SLUICE_SELFTEST_UNMAPPED_WRITE,   /**< at the physical address of a page that is not mapped */
    SLUICE_SELFTEST_UNMAPPED_READ,
    SLUICE_SELFTEST_READ_ONLY,     /**< a page that it may read is not written */
    SLUICE_SELFTEST_REVOKED_WRITE, /**< a page that was unmapped, twice over */
    SLUICE_SELFTEST_REVOKED_READ,
    SLUICE_SELFTEST_OTHER_DOMAIN, /**< what only the domain maps that it was moved out of */
    SLUICE_SELFTEST_BLOCKED,      /**< anything, while it is in no domain */
    /** A message that goes past interrupt remapping; there is none where nothing is remapped. */
    SLUICE_SELFTEST_INTERRUPT_FORMAT,
    SLUICE_SELFTEST_INTERRUPT_ENTRY, /**< a message that is another's, or names a freed entry */
    SLUICE_SELFTEST_STEPS
};

enum sluice_selftest_outcome {
    SLUICE_SELFTEST_NOT_TESTED = 0,
    SLUICE_SELFTEST_PASSED,
    SLUICE_SELFTEST_INCONCLUSIVE, /**< what must work did not: nothing is shown */
    SLUICE_SELFTEST_FAILED,       /**< it got what it must not get */
};

struct sluice_selftest_result {
    enum sluice_selftest_outcome outcome;
    const char *seen; /**< what was seen, or why it was not tested; constant, never NULL */
    uint32_t faults;  /**< of the device that the unit reported during the step */
};

struct sluice_selftest_evidence {
    bool made;        /**< false: nothing was ever tested on this unit, and the rest is zero */
    const char *unit; /**< lives as long as the instance is started */
    char device[64];  /**< where it is: "0000:01:00.0" */
    char name[32];    /**< as the host calls it */
    uint64_t time_ns; /**< host clock, at the end */
    uint64_t took_ns;
    /** PASSED: every step that was tested; else the worst of them. */
    enum sluice_selftest_outcome verdict;
    struct sluice_selftest_result steps[SLUICE_SELFTEST_STEPS];
};

/**
 * Tests the unit of a device with it, and keeps the evidence, which takes the place of what was
 * there before. The device is blocked or in domains of the test meanwhile, and kept from everybody
 * else: attaching, removing, assigning it, opening its DMA, suspend and stop are refused with BUSY.
 * Its faults are reported like others, but do not count against it.
 *
 * Afterwards it is in the domain that it was in, if the test passed. Else it is blocked and in no
 * domain; if the unit let it reach memory, or did not confirm that it let go of the test's pages,
 * these are withheld (sluice_overview.withheld_pages).
 * @param device   in no domain, or in one that it may leave; none of its interrupts may be under
 *                 way, and its driver must not use it
 * @param config   used during the call only
 * @param out      the evidence, also where it is bad; may be NULL
 * Context: may sleep if the hooks may; one call for a device at a time; polls for faults. Takes
 * about fifty accesses of the device.
 * Returns: OK (passed; see the evidence for what was not tested); HARDWARE (tested, and a step
 * failed or is inconclusive); what putting the device back returned (tested and passed, but it is
 * blocked now). Without a test, and with the device where it was unless the log says that it could
 * not be put back: INVALID; STATE (not started, or it is in quarantine); BUSY (its DMA API is open,
 * it is being reset, or tested already); DENIED (it was assigned, shares its requester ID with a
 * device elsewhere, or one of its group is in a domain); UNSUPPORTED (it does not snoop and the
 * host has no cache hooks; or no address that its memory has can be mapped); NO_MEMORY (also none
 * within its address_bits); TIMEOUT; others of sluice_domain_create and sluice_domain_attach.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_selftest_run(struct sluice_device *device, const struct sluice_selftest_config *config,
                    struct sluice_selftest_evidence *out);

/**
 * The evidence of the index-th unit (as sluice_unit_info counts them). Context: any thread.
 * Returns: OK (see `made`); INVALID (a pointer is NULL); NOT_FOUND (index is not below the count;
 * no unit before start).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_selftest_evidence(struct sluice *sluice, unsigned index,
                         struct sluice_selftest_evidence *out);

/** The words for a step ("revoked read") and an outcome ("not tested"). Never NULL. */
SLUICE_API const char *sluice_selftest_step_text(enum sluice_selftest_step step);
SLUICE_API const char *sluice_selftest_outcome_text(enum sluice_selftest_outcome outcome);

#ifdef __cplusplus
}
#endif

#endif
