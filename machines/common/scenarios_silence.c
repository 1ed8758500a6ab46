// SPDX-License-Identifier: MIT
/*
 * A disk floods its unit's log until the library has the unit not record its faults any more. What
 * counts is the unit: that nothing comes out of its log, drained or told of, while the device goes
 * on, reaches nothing, and others are heard.
 */
#include "host.h"
#include "rogue.h"
#include "string.h"

#define FLOOD          16u
#define SILENCE_NS     1000000000ull
#define FLOOD_COMMANDS 64u
#define QUIET_COMMANDS 32u
#define ONE_WORD       4u /* bytes: the fewest, so that no unit tells of more than one fault */

struct silence {
    struct rogue rogue;
    uint64_t faults, events; /* so far: drained; told of by the unit */
};

static uint64_t faults_so_far(struct lab *lab)
{
    struct sluice_fault_counts counts;
    sluice_fault_counts(lab->sluice, &counts);
    return counts.faults;
}

static struct sluice_device_health health_of(const struct silence *silence)
{
    struct sluice_device_health health = {0};
    if (sluice_device_health(silence->rogue.device, &health) != SLUICE_OK)
        (void)check(false, "the library says how the disk does");
    return health;
}

static bool flood(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    struct lab *lab = rogue->lab;
    struct sluice_device_health health = {0};
    uint64_t before = faults_so_far(lab);
    while (rogue->commands < FLOOD_COMMANDS && !health.silenced) {
        rogue_peep(rogue, rogue->commands);
        rogue_look_around(rogue);
        if (sluice_device_health(rogue->device, &health) != SLUICE_OK)
            break;
    }
    lab_forget_faults(lab);
    silence->faults = faults_so_far(lab);
    silence->events = machine_host_events();
    return check(health.silenced && health.state != SLUICE_DEVICE_QUARANTINED,
                 "after %lu faults of %u commands the unit is told not to record more of them",
                 silence->faults - before, rogue->commands);
}

static void check_no_record(struct silence *silence, const char *what)
{
    struct lab *lab = silence->rogue.lab;
    unsigned drained = sluice_fault_poll(lab->sluice);
    check(drained == 0 && faults_so_far(lab) == silence->faults &&
              machine_host_events() == silence->events,
          "%s: nothing is in the unit's log, and it told of nothing", what);
}

/* Single commands, and pages at a time. */
static void check_quiet(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    for (unsigned i = 0; i < QUIET_COMMANDS; i++)
        rogue_peep(rogue, i);
    for (unsigned i = 0; i < ROGUE_SECRETS; i++)
        rogue_misuse(rogue, &rogue->secrets[i].phys, 1);
    check_no_record(silence, "it goes on, by the dozen");
    rogue_check_untouched(rogue);
    check(rogue_disk_works(rogue), "what is mapped for it still works");
}

/* In no domain: the entry that blocks is silent too, and blocks. */
static bool check_blocked(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    struct sluice_domain *domain = sluice_device_domain(rogue->device);
    const uint64_t bus = ROGUE_DATA;
    const struct nvme_request request = {
        .lba = ROGUE_GOOD_LBA, .blocks = ROGUE_BLOCKS, .prp = &bus, .prp_count = 1};
    if (!check(sluice_domain_detach(rogue->device) == SLUICE_OK, "it is taken out of its domain"))
        return false;
    memset(rogue->good.virt, 0, MACHINE_PAGE_BYTES);
    (void)nvme_submit(&rogue->nvme, 0, &request);
    for (uint64_t end = arch_now_ns() + SILENCE_NS / 64; arch_now_ns() < end;)
        arch_pause();
    check(all_bytes(rogue->good.virt, MACHINE_PAGE_BYTES, 0),
          "told to fetch, it does not get at its buffer");
    check_no_record(silence, "blocked");
    if (!check(sluice_domain_attach(domain, rogue->device) == SLUICE_OK, "it is put back"))
        return false;
    nvme_close(&rogue->nvme);
    if (!check(nvme_open(&rogue->nvme, rogue->lab->nvme, &rogue->dma.dma) &&
                   rogue_disk_works(rogue),
               "its driver starts anew, and it stores and fetches"))
        return false;
    rogue_peep(rogue, 0);
    check_no_record(silence, "it strays again, in the entry that it was put back with");
    return true;
}

static void check_others_heard(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    struct lab *lab = rogue->lab;
    while (edu_busy(rogue->worker.edu))
        arch_pause();
    rogue_work_on(rogue);
    (void)edu_wait(rogue->worker.edu);
    lab_forget_faults(lab);
    check(edu_copy(rogue->worker.edu, EDU_TO_MEMORY, STAGE_IOVA, 0, ONE_WORD),
          "the other device strays once");
    lab_check_fault(lab, rogue->worker.edu->pci, SLUICE_ACCESS_WRITE, STAGE_IOVA, NOT_MAPPED);
    check(faults_so_far(lab) == silence->faults + 1, "and that is the only one of all this time");
    check(health_of(silence).silenced, "the disk is still not listened to");
}

static void check_heard_again(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    struct lab *lab = rogue->lab;
    struct sluice_device_health health = health_of(silence);
    while (arch_now_ns() <= health.silenced_since_ns + SILENCE_NS)
        arch_pause();
    lab_forget_faults(lab); /* a look at the unit is what ends it */
    check(!health_of(silence).silenced, "after %llu ms its silence is over", SILENCE_NS / 1000000);
    uint64_t before = faults_so_far(lab);
    rogue_peep(rogue, 0);
    lab_check_fault(lab, lab->nvme, SLUICE_ACCESS_READ, rogue_peeps_at(rogue, 0), NOT_MAPPED);
    check(faults_so_far(lab) > before, "it is heard again");
}

static void hush(struct silence *silence)
{
    struct rogue *rogue = &silence->rogue;
    if (!rogue_prepare(rogue->lab, rogue, SLUICE_FAULTS_UNLIMITED))
        return;
    if (flood(silence)) {
        check_quiet(silence);
        if (!check_blocked(silence))
            return;
        check_others_heard(silence);
        check_heard_again(silence);
    }
    rogue_check_nothing_stolen(rogue);
    rogue_finish(rogue);
}

static void run_silence(struct lab *lab)
{
    static struct silence silence; /* too large for the stack */
    silence = (struct silence){.rogue.lab = lab};
    if (!lab->expect->logs_faults || !lab->expect->can_silence) {
        skip("%s", lab->expect->logs_faults ? lab->expect->silence_remark : lab->expect->remark);
        return;
    }
    if (lab_restart(lab, FLOOD, SILENCE_NS))
        hush(&silence);
    check(lab_release(lab) && lab_restart(lab, 0, 0), "the usual instance is back");
}

const struct scenario scenarios_silence[] = {
    {"silence", "A disk floods the unit's log, which does not listen to it for a while",
     run_silence},
    {NULL, NULL, NULL},
};
