// SPDX-License-Identifier: MIT
/*
 * A self-test from its begin to its end: the device is taken from everybody else, put into domains
 * of the test, tested, and brought back or left blocked. See selftest.h.
 */
#include "selftest/selftest.h"

#define DEFAULT_BITS 64u

static const uint32_t read_write = SLUICE_PROT_READ | SLUICE_PROT_WRITE;

/* ---- taking the device ---- */

static enum sluice_status judge_locked(const struct sluice_device *device)
{
    if (device->sluice->state != INSTANCE_STARTED || device->quarantined)
        return SLUICE_ERR_STATE;
    if (device_is_kept(device) || device->held != 0)
        return SLUICE_ERR_BUSY;
    return device->assigned != NULL ? SLUICE_ERR_DENIED : SLUICE_OK;
}

static enum sluice_status take(struct selftest *test)
{
    struct sluice_device *device = test->device;
    sluice_irqstate_t irq = sluice_spin_lock(&test->sluice->lock);
    enum sluice_status status = judge_locked(device);

    if (status == SLUICE_OK) {
        device->tested = true;
        device->held++;
        test->home = device->domain;
        if (test->home != NULL)
            test->home->held++;
        fault_provoke_locked(device, true);
    }
    sluice_spin_unlock(&test->sluice->lock, irq);
    return status;
}

/* ---- setting up ---- */

/** The highest address that the device, the way to its unit, and both domains have. */
static sluice_phys_t highest(const struct selftest *test)
{
    const struct pt_config *config = &test->domains[0]->pt.config;
    unsigned asked = test->config->address_bits, way = test->device->address_bits;
    unsigned bits = asked != 0 ? asked : DEFAULT_BITS;

    if (way != 0 && way < bits)
        bits = way;
    if (config->iova_bits < bits)
        bits = config->iova_bits;
    if (config->phys_bits < bits)
        bits = config->phys_bits;
    return bits >= 64 ? UINT64_MAX : ((sluice_phys_t)1 << bits) - 1;
}

static enum sluice_status make_domains_locked(struct selftest *test)
{
    const struct sluice_domain_config config = {
        .kind = SLUICE_DOMAIN_UNMANAGED, .device = test->device, .name = "self-test"};
    enum sluice_status status = SLUICE_OK;

    if (test->sluice->state != INSTANCE_STARTED)
        return SLUICE_ERR_STATE;
    for (unsigned i = 0; i < 2 && status == SLUICE_OK; i++) {
        status = domain_create_locked(test->sluice, &config, test->device->unit, &test->domains[i]);
        if (status != SLUICE_OK)
            break;
        test->domains[i]->internal = true;
        test->domains[i]->held = 1;
    }
    return status;
}

static void measure(struct selftest *test)
{
    uint64_t sizes = test->domains[0]->pt.config.page_sizes;

    test->page_bytes = sizes & (0 - sizes);
    while (((uint64_t)SLUICE_PAGE_BYTES << test->order) < test->page_bytes * PAGES)
        test->order++;
}

/** Into the second domain and the first, where the device stays: what it needs is mapped then. */
static enum sluice_status enter_locked(struct selftest *test)
{
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 2; i-- > 0 && status == SLUICE_OK;) {
        status = domain_attach_locked(test->domains[i], test->device);
        if (status == SLUICE_OK &&
            !domain_is_free(test->domains[i], test->block.phys, test->page_bytes * PAGES))
            status = SLUICE_ERR_UNSUPPORTED;
    }
    return status;
}

static enum sluice_status set_up(struct selftest *test)
{
    const struct test_page *scratch = &test->pages[PAGE_SCRATCH];
    sluice_irqstate_t irq = sluice_spin_lock(&test->sluice->lock);
    enum sluice_status status = make_domains_locked(test);

    if (status == SLUICE_OK) {
        measure(test);
        status = area_make(test, highest(test));
    }
    if (status == SLUICE_OK)
        status = enter_locked(test);
    sluice_spin_unlock(&test->sluice->lock, irq);
    for (unsigned i = 0; i < 2 && status == SLUICE_OK; i++)
        status = sluice_domain_map(test->domains[i], test->pages[PAGE_DECOYS + SLOT_SCRATCH].phys,
                                   scratch->phys, test->page_bytes, read_write);
    if (status == SLUICE_OK)
        area_refill_all(test);
    return status;
}

/* ---- the steps ---- */

/** Whatever a step left: every address of the test but the scratch page's, in both domains. */
static struct finding tidy(struct selftest *test)
{
    static const enum test_slot slots[] = {SLOT_A, SLOT_B, SLOT_C};
    struct finding finding = FINE;

    for (unsigned domain = 0; domain < 2; domain++) {
        for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
            ALSO(finding, test_unmap(test, domain, slot_iova(test, slots[i])));
        ALSO(finding, test_unmap(test, domain, own_iova(test, PAGE_VICTIM)));
        ALSO(finding, test_unmap(test, domain, own_iova(test, PAGE_SECRET)));
    }
    return finding;
}

static void make_step(struct selftest *test, enum sluice_selftest_step step)
{
    bool on_memory = step < SLUICE_SELFTEST_INTERRUPT_FORMAT;
    uint32_t before = fault_provoked(test->device);
    struct finding finding = on_memory ? step_memory(test, step) : step_message(test, step);

    if (finding.outcome != SLUICE_SELFTEST_NOT_TESTED)
        ALSO(finding, tidy(test));
    (void)sluice_fault_poll(test->sluice);
    /* A unit that let it reach memory once is not believed when it says that it lets go. */
    if (on_memory && finding.outcome == SLUICE_SELFTEST_FAILED)
        test->in_doubt = true;
    evidence_note(test, step, finding, fault_provoked(test->device) - before);
}

/* ---- the way back ---- */

/** Where it was if all went well, else blocked. Returns: of attach or detach. */
static enum sluice_status bring_back_locked(struct selftest *test, bool home)
{
    enum sluice_status status = SLUICE_OK;
    enum sluice_status blocked;

    if (home && test->home != NULL) {
        status = domain_attach_locked(test->home, test->device);
        if (status == SLUICE_OK)
            return status;
    }
    blocked = device_detach_locked(test->device);
    test->in_doubt =
        test->in_doubt || blocked == SLUICE_ERR_TIMEOUT || blocked == SLUICE_ERR_HARDWARE;
    return status != SLUICE_OK ? status : blocked;
}

static void free_domains_locked(struct selftest *test)
{
    for (unsigned i = 0; i < 2; i++) {
        struct sluice_domain *domain = test->domains[i];

        if (domain == NULL)
            continue;
        if (test->in_doubt)
            domain_withhold_tables(domain);
        if (domain->devices == 0 && list_empty(&domain->links))
            domain_free_locked(domain);
        else /* the device could not even be blocked: all that it may reach stays */
            test->in_doubt = true;
    }
}

static enum sluice_status leave(struct selftest *test, bool tested)
{
    bool home = !tested || test->evidence.verdict == SLUICE_SELFTEST_PASSED;
    struct sluice_device *device = test->device;
    enum sluice_status status;
    sluice_irqstate_t irq;

    (void)sluice_fault_poll(test->sluice); /* what it provoked counts for nothing */
    irq = sluice_spin_lock(&test->sluice->lock);
    fault_provoke_locked(device, false);
    device->tested = false;
    device->held--;
    status = bring_back_locked(test, home);
    if (test->home != NULL)
        test->home->held--;
    free_domains_locked(test);
    area_free(test);
    if (status != SLUICE_OK || !home)
        log_error(test->sluice, "%s '%s': blocked, and in no domain: %s", device->label,
                  device->name, home ? sluice_status_text(status) : "its self-test did not pass");
    sluice_spin_unlock(&test->sluice->lock, irq);
    return status;
}

/* ---- the whole ---- */

static enum sluice_status run(struct selftest *test)
{
    enum sluice_status status = set_up(test);
    enum sluice_status left;
    sluice_irqstate_t irq;
    bool tested = status == SLUICE_OK;

    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS && tested; i++)
        make_step(test, (enum sluice_selftest_step)i);
    if (tested) {
        irq = sluice_spin_lock(&test->sluice->lock);
        evidence_keep_locked(test);
        sluice_spin_unlock(&test->sluice->lock, irq);
        if (test->evidence.verdict != SLUICE_SELFTEST_PASSED)
            status = SLUICE_ERR_HARDWARE;
    }
    left = leave(test, tested);
    return status != SLUICE_OK ? status : left;
}

static bool config_is_valid(const struct sluice_selftest_config *config)
{
    const struct sluice_selftest_ops *ops = config->ops;

    return ops != NULL && ops->load != NULL && ops->show != NULL && ops->write != NULL &&
           ops->read != NULL && config->address_bits <= 64;
}

enum sluice_status sluice_selftest_run(struct sluice_device *device,
                                       const struct sluice_selftest_config *config,
                                       struct sluice_selftest_evidence *out)
{
    enum sluice_status status;
    struct selftest *test;
    struct sluice *sluice;

    if (device == NULL || config == NULL || !config_is_valid(config))
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    if (out != NULL)
        *out = (struct sluice_selftest_evidence){0}; /* callers look at `made` whatever happens */
    test = host_alloc(sluice, sizeof(*test));
    if (test == NULL)
        return SLUICE_ERR_NO_MEMORY;
    test->sluice = sluice;
    test->device = device;
    test->config = config;
    test->non_coherent = config->non_coherent || device->coherence == SLUICE_COHERENCE_NO;
    test->evidence.time_ns = host_now_ns(sluice);
    test->counter = test->evidence.time_ns; /* what an earlier run left is another's too */
    if (test->non_coherent &&
        (sluice->ops->cache_clean == NULL || sluice->ops->cache_invalidate == NULL))
        status = SLUICE_ERR_UNSUPPORTED;
    else
        status = take(test);
    if (status == SLUICE_OK)
        status = run(test);
    if (!test->evidence.made)
        test->evidence = (struct sluice_selftest_evidence){0};
    if (out != NULL)
        *out = test->evidence;
    host_free(sluice, test, sizeof(*test));
    return status;
}
