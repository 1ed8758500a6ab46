// SPDX-License-Identifier: MIT
/*
 * What the device of a self-test is asked for, and what memory says of it: controls, which must
 * work, and what is forbidden, which must not. See selftest.h.
 */
#include "selftest/selftest.h"

static const char too_late[] = "an access did not end in time, and may still come";
static const char stopped[] = "an earlier step left nothing that could be relied on";

/** What the device says of an access, where it must not fail. */
static struct finding judge_answer(struct selftest *test, enum sluice_status status)
{
    if (status == SLUICE_OK)
        return FINE;
    if (status != SLUICE_ERR_TIMEOUT)
        return FINDING(INCONCLUSIVE, "the device reported an error where it may do what it did");
    test->stuck = true;
    return FINDING(INCONCLUSIVE, too_late);
}

/** The same where it may fail: only that it is over counts. */
static struct finding judge_end(struct selftest *test, enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT ? judge_answer(test, status) : FINE;
}

static struct sluice_selftest_scratch scratch_of(const struct selftest *test)
{
    return (struct sluice_selftest_scratch){.virt = (uint8_t *)test->pages[PAGE_SCRATCH].virt +
                                                    WINDOW_AT,
                                            .iova = slot_iova(test, SLOT_SCRATCH)};
}

static enum sluice_status write_to(struct selftest *test, sluice_iova_t iova)
{
    /* What the CPU wrote is there before the device is told; pairs with the device's reads. */
    sluice_device_fence();
    return test->config->ops->write(test->config->arg, iova);
}

static enum sluice_status read_from(struct selftest *test, sluice_iova_t iova)
{
    sluice_device_fence(); /* as in write_to */
    return test->config->ops->read(test->config->arg, iova);
}

/** Gives the device bytes that were never anywhere; *out_seed says which. */
static struct finding load(struct selftest *test, uint64_t *out_seed)
{
    const struct sluice_selftest_scratch scratch = scratch_of(test);

    *out_seed = area_seed(test, PAGE_SCRATCH);
    area_put_scratch(test, *out_seed);
    sluice_device_fence(); /* as in write_to */
    return judge_answer(test, test->config->ops->load(test->config->arg, &scratch));
}

/** Asks for what the device holds. */
static struct finding show(struct selftest *test, uint64_t out[WINDOW_WORDS])
{
    const struct sluice_selftest_scratch scratch = scratch_of(test);
    struct finding finding;

    area_refill(test, PAGE_SCRATCH);
    sluice_device_fence(); /* as in write_to */
    finding = judge_answer(test, test->config->ops->show(test->config->arg, &scratch));
    test->pages[PAGE_SCRATCH].open = true;
    area_look(test);
    area_take_scratch(test, out);
    if (is_fine(finding) && area_is(test, PAGE_SCRATCH, out))
        return FINDING(INCONCLUSIVE, "the device did not show what it holds");
    return finding;
}

/** After anything: nothing may lie anywhere that was not put there. */
static struct finding judge_memory(struct selftest *test, const char *wrong)
{
    area_look(test);
    if (area_first_changed(test) == PAGES)
        return FINE;
    /* Said once: what follows is looked at afresh. */
    area_refill_all(test);
    return FINDING(FAILED, wrong);
}

/* ---- controls ---- */

struct finding control_write(struct selftest *test, sluice_iova_t iova, unsigned page)
{
    struct finding finding;
    bool arrived;
    uint64_t seed;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    area_refill(test, page);
    finding = load(test, &seed);
    if (test->stuck)
        return finding;
    finding = finding_worse(finding, judge_answer(test, write_to(test, iova)));
    area_look(test);
    test->pages[page].given = seed;
    arrived = area_page_intact(test, page);
    /* The window is judged by that; now all the rest, of this page too. */
    test->pages[page].open = true;
    if (area_first_changed(test) != PAGES) {
        area_refill_all(test);
        return FINDING(FAILED, "a write to what is mapped arrived elsewhere");
    }
    area_refill(test, page);
    if (!arrived)
        finding = finding_worse(finding, FINDING(INCONCLUSIVE, "a write to what is mapped did not "
                                                               "arrive: nothing is shown"));
    return finding;
}

struct finding control_read(struct selftest *test, sluice_iova_t iova, unsigned page)
{
    uint64_t held[WINDOW_WORDS];
    struct finding finding;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    area_refill(test, page);
    finding = judge_answer(test, read_from(test, iova));
    if (test->stuck)
        return finding;
    finding = finding_worse(finding, show(test, held));
    finding =
        finding_worse(finding, judge_memory(test, "memory changed that was not to be written"));
    if (is_fine(finding) && !area_is(test, page, held))
        finding = FINDING(INCONCLUSIVE, "a read of what is mapped brought something else: nothing "
                                        "is shown");
    /* So that no page holds what the device does. */
    area_refill(test, page);
    return finding;
}

/* ---- what is forbidden ---- */

struct finding forbidden_write(struct selftest *test, sluice_iova_t iova, unsigned page)
{
    struct finding finding;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    area_refill(test, page);
    finding = judge_end(test, write_to(test, iova));
    return finding_worse(finding, judge_memory(test, "the write arrived in memory"));
}

struct finding forbidden_read(struct selftest *test, sluice_iova_t iova, unsigned page)
{
    struct finding finding;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    area_refill(test, page);
    finding = judge_end(test, read_from(test, iova));
    return finding_worse(finding, judge_memory(test, "memory changed that was not to be written"));
}

struct finding forbidden_look(struct selftest *test)
{
    uint64_t held[WINDOW_WORDS];
    struct finding finding;
    bool leaked = false;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    finding = show(test, held);
    for (unsigned page = 0; page < PAGES; page++)
        leaked = leaked || (page != PAGE_SCRATCH && area_shows(test, page, held));
    if (leaked)
        finding = FINDING(FAILED, "the device holds what lies in memory that it may not read");
    return finding_worse(finding, judge_memory(test, "memory changed that was not to be written"));
}

struct finding send_message(struct selftest *test, const struct sluice_msi *msi, bool wanted)
{
    const struct sluice_selftest_scratch scratch = scratch_of(test);
    enum sluice_status status;
    struct finding finding;
    bool arrived = false;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    area_refill(test, PAGE_SCRATCH);
    test->pages[PAGE_SCRATCH].open = true;
    sluice_device_fence(); /* as in write_to */
    status = test->config->ops->message(test->config->arg, &scratch, msi, &arrived);
    finding = wanted ? judge_answer(test, status) : judge_end(test, status);
    if (wanted && !arrived)
        finding = finding_worse(finding, FINDING(INCONCLUSIVE, "the device's own message did not "
                                                               "arrive: nothing is shown"));
    if (!wanted && arrived)
        finding = FINDING(FAILED, "the message raised an interrupt");
    return finding_worse(finding, judge_memory(test, "memory changed that was not to be written"));
}

/* ---- domains ---- */

struct finding test_map(struct selftest *test, unsigned domain, sluice_iova_t iova, unsigned page,
                        uint32_t prot)
{
    enum sluice_status status;

    if (test->stuck)
        return FINDING(INCONCLUSIVE, stopped);
    status = sluice_domain_map(test->domains[domain], iova & ~(test->page_bytes - 1),
                               test->pages[page].phys, test->page_bytes, prot);
    return status == SLUICE_OK ? FINE : FINDING(INCONCLUSIVE, "a page could not be mapped");
}

struct finding test_unmap(struct selftest *test, unsigned domain, sluice_iova_t iova)
{
    if (sluice_domain_unmap(test->domains[domain], iova & ~(test->page_bytes - 1), test->page_bytes,
                            NULL) == SLUICE_OK)
        return FINE;
    test->stuck = true;
    test->in_doubt = true;
    return FINDING(INCONCLUSIVE, "the unit did not confirm that it dropped a mapping");
}

struct finding test_move(struct selftest *test, struct sluice_domain *domain)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq = sluice_spin_lock(&test->sluice->lock);

    if (test->sluice->state == INSTANCE_STARTED)
        status = domain != NULL ? domain_attach_locked(domain, test->device)
                                : device_detach_locked(test->device);
    sluice_spin_unlock(&test->sluice->lock, irq);
    if (status == SLUICE_OK)
        return FINE;
    test->stuck = true;
    test->in_doubt =
        test->in_doubt || status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
    return FINDING(INCONCLUSIVE, "the device could not be moved between domains");
}
