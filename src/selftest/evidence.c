// SPDX-License-Identifier: MIT
/*
 * What a self-test has shown: words, the sum, and where it is kept. Looked at by src/group, which
 * decides on levels, and by src/instance, which tells.
 */
#include "selftest/selftest.h"

const char *sluice_selftest_step_text(enum sluice_selftest_step step)
{
    static const char *const words[SLUICE_SELFTEST_STEPS] = {
        [SLUICE_SELFTEST_MAPPED_WRITE] = "mapped write",
        [SLUICE_SELFTEST_MAPPED_READ] = "mapped read",
        [SLUICE_SELFTEST_UNMAPPED_WRITE] = "unmapped write",
        [SLUICE_SELFTEST_UNMAPPED_READ] = "unmapped read",
        [SLUICE_SELFTEST_READ_ONLY] = "write to read-only",
        [SLUICE_SELFTEST_REVOKED_WRITE] = "revoked write",
        [SLUICE_SELFTEST_REVOKED_READ] = "revoked read",
        [SLUICE_SELFTEST_OTHER_DOMAIN] = "other domain",
        [SLUICE_SELFTEST_BLOCKED] = "blocked",
        [SLUICE_SELFTEST_INTERRUPT_FORMAT] = "interrupt in the older format",
        [SLUICE_SELFTEST_INTERRUPT_ENTRY] = "interrupt of another",
    };

    return (unsigned)step < SLUICE_SELFTEST_STEPS ? words[step] : "unknown";
}

const char *sluice_selftest_outcome_text(enum sluice_selftest_outcome outcome)
{
    static const char *const words[] = {
        [SLUICE_SELFTEST_NOT_TESTED] = "not tested",
        [SLUICE_SELFTEST_PASSED] = "passed",
        [SLUICE_SELFTEST_INCONCLUSIVE] = "inconclusive",
        [SLUICE_SELFTEST_FAILED] = "failed",
    };

    return (unsigned)outcome < sizeof(words) / sizeof(words[0]) ? words[outcome] : "unknown";
}

/** What is seen when all is well. */
static const char *seen_when_passed(enum sluice_selftest_step step)
{
    switch (step) {
    case SLUICE_SELFTEST_MAPPED_WRITE:
        return "it arrived where it was mapped to, and nowhere else";
    case SLUICE_SELFTEST_MAPPED_READ:
        return "it brought what lies there";
    default:
        return "stopped, between accesses that worked";
    }
}

void evidence_note(struct selftest *test, enum sluice_selftest_step step, struct finding finding,
                   uint32_t faults)
{
    test->evidence.steps[step] = (struct sluice_selftest_result){
        .outcome = finding.outcome,
        .seen = is_fine(finding) ? seen_when_passed(step) : finding.seen,
        .faults = faults};
}

/** The worst of what was tested. */
static enum sluice_selftest_outcome sum_of(const struct sluice_selftest_evidence *evidence)
{
    enum sluice_selftest_outcome worst = SLUICE_SELFTEST_NOT_TESTED;

    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++) {
        if (evidence->steps[i].outcome > worst)
            worst = evidence->steps[i].outcome;
    }
    return worst;
}

static void tell(const struct selftest *test)
{
    const struct sluice_selftest_evidence *evidence = &test->evidence;

    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++) {
        const struct sluice_selftest_result *step = &evidence->steps[i];

        if (step->outcome > SLUICE_SELFTEST_PASSED)
            log_error(test->sluice, "%s: self-test with %s: %s: %s: %s", evidence->unit,
                      evidence->device, sluice_selftest_step_text((enum sluice_selftest_step)i),
                      sluice_selftest_outcome_text(step->outcome), step->seen);
        else if (step->outcome == SLUICE_SELFTEST_NOT_TESTED)
            log_info(test->sluice, "%s: self-test with %s: %s: not tested: %s", evidence->unit,
                     evidence->device, sluice_selftest_step_text((enum sluice_selftest_step)i),
                     step->seen);
    }
    if (evidence->verdict == SLUICE_SELFTEST_PASSED)
        log_info(test->sluice, "%s: self-test with %s: passed", evidence->unit, evidence->device);
}

void evidence_keep_locked(struct selftest *test)
{
    struct sluice_selftest_evidence *evidence = &test->evidence;
    const struct sluice_device *device = test->device;
    uint64_t now = host_now_ns(test->sluice);

    evidence->made = true;
    evidence->unit = device->unit->name;
    evidence->took_ns = now - evidence->time_ns;
    evidence->time_ns = now;
    evidence->verdict = sum_of(evidence);
    format_text(evidence->device, sizeof(evidence->device), "%s", device->label);
    format_text(evidence->name, sizeof(evidence->name), "%s", device->name);
    tell(test);
    device->unit->selftest = *evidence;
}

enum sluice_status sluice_selftest_evidence(struct sluice *sluice, unsigned index,
                                            struct sluice_selftest_evidence *out)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    *out = (struct sluice_selftest_evidence){0};
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        list_for_each(node, &sluice->units)
        {
            const struct unit *unit = container_of(node, struct unit, node);

            if (index-- != 0)
                continue;
            *out = unit->selftest;
            out->unit = unit->name;
            status = SLUICE_OK;
            break;
        }
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
