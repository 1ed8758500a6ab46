// SPDX-License-Identifier: MIT
/*
 * The library's self-test with an edu as its device: what the library reports as evidence, held
 * against what is known of the emulator, and against the machine's own look at memory.
 */
#include "arch.h"
#include "host.h"
#include "pages.h"
#include "remap.h"
#include "stage.h"

#define ANSWER_NS   20000000ull
#define WATCHED     3u /* order of a block: eight pages */
#define WATCH_BYTES ((size_t)MACHINE_PAGE_BYTES << WATCHED)
#define WATCH_SEED  0x5e1fu

struct tester {
    struct edu *edu;
    unsigned irq, others_irq;
    volatile uint64_t fired;
};

static void count(void *context)
{
    struct tester *tester = context;
    edu_acknowledge(tester->edu);
    tester->fired++;
}

static enum sluice_status copy(const struct tester *tester, enum edu_direction direction,
                               uint64_t bus)
{
    return edu_copy(tester->edu, direction, bus, 0, SLUICE_SELFTEST_BYTES) ? SLUICE_OK
                                                                           : SLUICE_ERR_TIMEOUT;
}

static enum sluice_status load(void *arg, const struct sluice_selftest_scratch *scratch)
{
    return copy(arg, EDU_FROM_MEMORY, scratch->iova);
}

static enum sluice_status show(void *arg, const struct sluice_selftest_scratch *scratch)
{
    return copy(arg, EDU_TO_MEMORY, scratch->iova);
}

static enum sluice_status write(void *arg, sluice_iova_t iova)
{
    return copy(arg, EDU_TO_MEMORY, iova);
}

static enum sluice_status read(void *arg, sluice_iova_t iova)
{
    return copy(arg, EDU_FROM_MEMORY, iova);
}

/* Its interrupt comes at the end of a copy. */
static enum sluice_status message(void *arg, const struct sluice_selftest_scratch *scratch,
                                  const struct sluice_msi *msi, bool *out_arrived)
{
    struct tester *tester = arg;
    uint64_t before = tester->fired, deadline;
    if (!pci_set_message(tester->edu->pci, msi->address, msi->data))
        return SLUICE_ERR_HARDWARE;
    if (!edu_start(tester->edu, EDU_TO_MEMORY, scratch->iova, 0, SLUICE_SELFTEST_BYTES, true) ||
        !edu_wait(tester->edu))
        return SLUICE_ERR_TIMEOUT;
    deadline = arch_now_ns() + ANSWER_NS;
    while (tester->fired == before && arch_now_ns() < deadline)
        arch_pause();
    *out_arrived = tester->fired != before;
    edu_acknowledge(tester->edu); /* where nobody heard it */
    return SLUICE_OK;
}

static const struct sluice_selftest_ops hooks = {
    .load = load, .show = show, .write = write, .read = read, .message = message};

/* ---- what it has to show here ---- */

static enum sluice_selftest_outcome expected(const struct lab *lab, unsigned step)
{
    if (step < SLUICE_SELFTEST_INTERRUPT_FORMAT)
        return SLUICE_SELFTEST_PASSED;
    if (!remap_wanted())
        return step == SLUICE_SELFTEST_INTERRUPT_ENTRY && arch_messages_have_senders()
                   ? SLUICE_SELFTEST_PASSED
                   : SLUICE_SELFTEST_NOT_TESTED;
    /* What the emulator lets through, the self-test has to find. */
    return step == SLUICE_SELFTEST_INTERRUPT_FORMAT && !lab->expect->refuses_older_messages
               ? SLUICE_SELFTEST_FAILED
               : SLUICE_SELFTEST_PASSED;
}

static void check_evidence(const struct lab *lab, const struct sluice_selftest_evidence *evidence)
{
    enum sluice_selftest_outcome worst = SLUICE_SELFTEST_PASSED;
    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++) {
        const struct sluice_selftest_result *step = &evidence->steps[i];
        enum sluice_selftest_outcome want = expected(lab, i);
        check(step->outcome == want, "%s: %s: %s (faults reported: %u)",
              sluice_selftest_step_text((enum sluice_selftest_step)i),
              sluice_selftest_outcome_text(step->outcome), step->seen, step->faults);
        if (want == SLUICE_SELFTEST_FAILED)
            say("(as expected: %s)", lab->expect->messages_remark);
        if (want > worst)
            worst = want;
    }
    check(evidence->made && evidence->verdict == worst, "%s as a whole: %s", evidence->unit,
          sluice_selftest_outcome_text(evidence->verdict));
    if (lab->expect->logs_faults)
        check(evidence->steps[SLUICE_SELFTEST_UNMAPPED_WRITE].faults > 0 &&
                  evidence->steps[SLUICE_SELFTEST_REVOKED_READ].faults > 0,
              "the unit reported what it stopped");
}

/* What the instance keeps of the same unit. */
static bool find_kept(struct lab *lab, const char *unit, struct sluice_selftest_evidence *out_kept)
{
    unsigned index = 0;
    while (sluice_selftest_evidence(lab->sluice, index, out_kept) == SLUICE_OK) {
        if (out_kept->unit == unit)
            return true;
        index++;
    }
    return false;
}

/* Its own, and that of another device for a vector of the same handler. */
static bool find_messages(struct lab *lab, const struct tester *tester,
                          struct sluice_selftest_config *config)
{
    return lab->plain != NULL &&
           check(arch_irq_message(tester->irq, pci_source_rid(tester->edu->pci),
                                  &config->own_message.address, &config->own_message.data) &&
                     arch_irq_message(tester->others_irq, pci_source_rid(lab->plain->pci),
                                      &config->others_message.address,
                                      &config->others_message.data),
                 "it has a message for a vector, and another device has one");
}

static void run_test(struct lab *lab, struct tester *tester, struct sluice_device *device)
{
    struct sluice_selftest_config config = {
        .ops = &hooks,
        .arg = tester,
        .route = {.vector = (uint8_t)tester->irq, .destination = arch_cpu_id()}};
    if (!remap_wanted() && arch_messages_have_senders())
        config.has_messages = find_messages(lab, tester, &config);
    struct page low = lab_page(lab, WATCHED), high = lab_high_page(lab, WATCHED);
    struct sluice_selftest_evidence evidence;
    enum sluice_selftest_outcome verdict;
    uint64_t held = machine_host_pages_held();
    fill_pattern(low.virt, WATCH_BYTES, WATCH_SEED);
    fill_pattern(high.virt, WATCH_BYTES, WATCH_SEED + 1);
    enum sluice_status status = sluice_selftest_run(device, &config, &evidence);
    check_evidence(lab, &evidence);
    check(status == (evidence.verdict == SLUICE_SELFTEST_PASSED ? SLUICE_OK : SLUICE_ERR_HARDWARE),
          "and that is what the call says: %s", sluice_status_text(status));
    check(has_pattern(low.virt, WATCH_BYTES, WATCH_SEED) &&
              has_pattern(high.virt, WATCH_BYTES, WATCH_SEED + 1),
          "memory of the machine, at 0x%lx and 0x%lx, is as it was", low.phys, high.phys);
    check(machine_host_pages_held() == held, "the library gave all its test pages back");
    verdict = evidence.verdict;
    check(find_kept(lab, evidence.unit, &evidence) && evidence.made && evidence.verdict == verdict,
          "the evidence is kept with the unit");
    check(sluice_device_domain(device) == NULL, "the device is in no domain, as before");
}

static void run_selftest(struct lab *lab)
{
    struct tester tester = {.edu = lab->wide};
    char text[16];
    struct sluice_device *device = lab->wide != NULL ? lab_device(lab, lab->wide->pci) : NULL;
    if (device == NULL) {
        skip("the machine lacks the edu device this needs");
        return;
    }
    if (!check(arch_irq_alloc(count, &tester, &tester.irq) &&
                   arch_irq_alloc(count, &tester, &tester.others_irq),
               "two vectors are free"))
        return;
    say("%s is told to read and write what it may and what it may not",
        device_text(tester.edu->pci, text));
    run_test(lab, &tester, device);
    arch_irq_free(tester.irq);
    arch_irq_free(tester.others_irq);
    check(remap_forget(lab, tester.edu->pci) && remap_again(lab, tester.edu->pci),
          "its own interrupt is programmed again");
    lab_forget_faults(lab);
}

const struct scenario scenarios_selftest[] = {
    {"selftest", "A device shows that the unit confines it, and the library says so", run_selftest},
    {NULL, NULL, NULL},
};

/* Where nothing guards, nothing may pass either. */
void selftest_nothing(struct lab *lab)
{
    struct sluice_selftest_evidence evidence;
    struct sluice_device *device = NULL;
    const struct sluice_device_config config = {
        .rid = lab->edu_count > 0 ? pci_rid(lab->edus[0].pci) : 0};
    report_begin("selftest-nothing", "Without an IOMMU no self-test passes");
    if (check(lab_create(lab) == SLUICE_OK, "an instance is made")) {
        enum sluice_status status = sluice_device_add(lab->sluice, &config, &device);
        check(status != SLUICE_OK && device == NULL, "no device can be had to test with: %s",
              sluice_status_text(status));
        check(sluice_selftest_evidence(lab->sluice, 0, &evidence) == SLUICE_ERR_NOT_FOUND &&
                  !evidence.made && evidence.verdict == SLUICE_SELFTEST_NOT_TESTED,
              "there is no unit, and no evidence of any");
        check(sluice_protection_check(lab->sluice, SLUICE_PROTECTION_STRICT, NULL, NULL) !=
                  SLUICE_OK,
              "level strict is not to be had");
        check(sluice_destroy(lab->sluice) == SLUICE_OK, "the instance is destroyed");
        lab_abandon(lab);
    }
    report_end();
}
