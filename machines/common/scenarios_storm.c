// SPDX-License-Identifier: MIT
/*
 * The disk as the hostile one: commands that point outside its mappings, by hand until it is cut
 * off, and by the hundred to see what a storm of faults costs. An edu device works beside it.
 */
#include "host.h"
#include "reset.h"
#include "rogue.h"
#include "string.h"

#define LIMIT          32u
#define SILENCE_NS     20000000ull
#define STEADY_NS      700000000ull
#define STEADY_CALM    8u /* commands to see what one of them costs */
#define BURST_COMMANDS 16u
#define BURST_PAGES    4u /* of each, of which none is mapped */
/* How much longer a copy of the other device may take: QEMU lets the machine's time run on while it
 * waits for the disk's file. */
#define COPY_NOISE    3u
#define FAULT_NS_MOST 400000u /* that one fault may cost: 6000 instructions, as time is counted */

/* ---- until it is cut off ---- */

static bool is_cut_off(struct rogue *rogue)
{
    struct sluice_device_health health;
    return sluice_device_health(rogue->device, &health) == SLUICE_OK &&
           health.state == SLUICE_DEVICE_QUARANTINED;
}

/* Over the secrets first, then over all of memory, the kernel's and the library's too. */
static uint64_t address_of(struct rogue *rogue, unsigned index)
{
    uint64_t first = 0, last = 0, phys;
    if (index / 2 < ROGUE_SECRETS)
        return rogue->secrets[index / 2].phys;
    if (index % 4 == 1 && machine_host_page(index, &phys))
        return phys;
    (void)machine_ram_extent(0, &first, &last);
    return first +
           (last - first) / LIMIT * (index % LIMIT) / MACHINE_PAGE_BYTES * MACHINE_PAGE_BYTES;
}

static void sweep(struct rogue *rogue)
{
    while (rogue->commands < LIMIT && !is_cut_off(rogue)) {
        uint64_t bus = address_of(rogue, rogue->commands);
        rogue_misuse(rogue, &bus, 1);
    }
}

static void check_cut_off(struct rogue *rogue)
{
    struct lab *lab = rogue->lab;
    struct sluice_device_health health = {0};
    if (lab->expect->logs_faults) {
        check(is_cut_off(rogue), "it was cut off by itself after %u commands; %u faults are many",
              rogue->commands, LIMIT);
    } else {
        say("(it is cut off by hand: %s)", lab->expect->remark);
        check(sluice_device_quarantine(rogue->device) == SLUICE_OK,
              "it is cut off after %u commands", rogue->commands);
    }
    check(sluice_device_health(rogue->device, &health) == SLUICE_OK && health.confirmed &&
              health.bus_master_off && !pci_is_bus_master(lab->nvme),
          "the unit confirmed that, and its bus mastering is off");
    check(lab_faults_of(rogue->worker.device) == rogue->worker_faults,
          "the other device is not, and has not faulted");
}

/* Bus mastering back on: its queues are mapped, and it does not get at them either. */
static void check_silent(struct rogue *rogue)
{
    const uint64_t bus = ROGUE_DATA;
    const struct nvme_request request = {
        .lba = ROGUE_GOOD_LBA, .blocks = ROGUE_BLOCKS, .prp = &bus, .prp_count = 1};
    uint8_t *queue = rogue->nvme.io.completion.virt;
    uint64_t before = checksum(queue, MACHINE_PAGE_BYTES), deadline;
    memset(rogue->good.virt, 0, MACHINE_PAGE_BYTES);
    pci_set_bus_master(rogue->lab->nvme, true);
    check(nvme_submit(&rogue->nvme, 0, &request), "it is given a command all the same");
    deadline = arch_now_ns() + SILENCE_NS;
    while (arch_now_ns() < deadline)
        arch_pause();
    rogue_look_around(rogue);
    pci_set_bus_master(rogue->lab->nvme, false);
    check(checksum(queue, MACHINE_PAGE_BYTES) == before &&
              all_bytes(rogue->good.virt, MACHINE_PAGE_BYTES, 0),
          "neither its queue nor its buffer has changed");
}

static bool recover(struct rogue *rogue)
{
    struct lab *lab = rogue->lab;
    struct sluice_device_health health;
    unsigned resets = machine_resets();
    enum sluice_status status = sluice_device_recover(rogue->device);
    if (!check(status == SLUICE_OK && machine_resets() == resets,
               "a function level reset brings it back: %s", sluice_status_text(status)))
        return false;
    check(sluice_device_health(rogue->device, &health) == SLUICE_OK &&
              health.state == SLUICE_DEVICE_OPERATIONAL && health.fault_count == 0,
          "it counts as well, with no fault");
    check(!pci_is_bus_master(lab->nvme), "its bus mastering is left to its driver");
    nvme_close(&rogue->nvme); /* what its queues were goes back */
    return check(nvme_open(&rogue->nvme, lab->nvme, &rogue->dma.dma), "its driver starts anew") &&
           check(rogue_disk_works(rogue), "it stores and fetches again");
}

static void run_rogue(struct lab *lab)
{
    static struct rogue rogue; /* too large for the stack */
    if (!rogue_prepare(lab, &rogue, LIMIT))
        return;
    say("its commands point to memory that is not mapped for it");
    sweep(&rogue);
    check_cut_off(&rogue);
    check_silent(&rogue);
    rogue_check_untouched(&rogue);
    if (!recover(&rogue))
        return;
    lab_forget_faults(lab);
    rogue_check_nothing_stolen(&rogue);
    lab_check_no_fault(lab);
    rogue_finish(&rogue);
}

/* ---- storm ---- */

struct witness {
    uint64_t told, lost; /* by the library's log, to whom it tells */
    uint64_t short_of;   /* records around which the unit lost some */
};

struct storm {
    struct rogue rogue;
    struct witness witness;
    struct sluice_fault_subscription *subscription;
    uint64_t pages, objects; /* that the library held before */
    uint64_t each;           /* faults of one command */
    uint64_t alone_ns;       /* how long a copy of the other device takes by itself */
};

static void on_record(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct witness *witness = arg;
    witness->told++;
    witness->lost += lost;
    witness->short_of += record->fault.records_lost;
}

static uint64_t faults_so_far(struct lab *lab)
{
    struct sluice_fault_counts counts;
    sluice_fault_counts(lab->sluice, &counts);
    return counts.faults;
}

/* Drains what is there, whoever would tell of it, and has everybody told. */
static uint64_t faults_by_now(struct lab *lab)
{
    lab_forget_faults(lab);
    machine_host_run_deferred();
    return faults_so_far(lab);
}

/* One command after the other while nothing else happens: each makes as many faults. */
static bool weigh(struct storm *storm)
{
    struct lab *lab = storm->rogue.lab;
    uint64_t before = faults_by_now(lab), after;
    bool alike = true;
    for (unsigned i = 0; i < STEADY_CALM; i++, before = after) {
        rogue_peep(&storm->rogue, i);
        after = faults_by_now(lab);
        if (i == 0)
            storm->each = after - before;
        alike &= after - before == storm->each;
    }
    return check(alike && storm->each > 0, "each command that it gets makes %lu faults",
                 storm->each);
}

/*
 * As many as there is time for. Where the unit tells of them by an interrupt nobody else looks, so
 * that what the library has no room to keep has to be counted.
 */
static void blow(struct storm *storm)
{
    struct rogue *rogue = &storm->rogue;
    bool told = rogue->lab->expect->raises_notice;
    rogue_work_afresh(rogue);
    uint64_t deadline = arch_now_ns() + STEADY_NS;
    for (rogue->commands = 0; arch_now_ns() < deadline;) {
        rogue_peep(rogue, rogue->commands);
        if (!told)
            rogue_look_around(rogue);
        rogue_work_on(rogue);
    }
}

static void check_told(struct storm *storm, uint64_t faults)
{
    const struct witness *witness = &storm->witness;
    check(witness->told + witness->lost == faults,
          "of %lu faults %lu were told and %lu counted as overwritten: not one is missing", faults,
          witness->told, witness->lost);
}

static void check_bounds(struct storm *storm)
{
    const struct rogue *rogue = &storm->rogue;
    check(machine_host_pages_held() == storm->pages &&
              machine_host_objects_held() == storm->objects,
          "they cost no page and no object, however many they are");
    check(rogue->slowest_copy_ns > 0 && rogue->slowest_copy_ns <= COPY_NOISE * storm->alone_ns,
          "a copy of the other device took %lu ms at most meanwhile, and %lu by itself",
          rogue->slowest_copy_ns / 1000000, storm->alone_ns / 1000000);
}

static void steady(struct storm *storm)
{
    struct rogue *rogue = &storm->rogue;
    uint64_t before = faults_by_now(rogue->lab), busy = machine_host_busy_ns();
    uint64_t began = arch_now_ns();
    storm->witness = (struct witness){0};
    rogue->polled_ns = 0;
    blow(storm);
    uint64_t took = arch_now_ns() - began;
    uint64_t faults = faults_by_now(rogue->lab) - before;
    busy = machine_host_busy_ns() - busy + rogue->polled_ns;
    check(faults == rogue->commands * storm->each,
          "%u commands in %lu ms made %lu faults, to the last one", rogue->commands, took / 1000000,
          faults);
    check_told(storm, faults);
    if (faults > 0)
        check(busy / faults < FAULT_NS_MOST, "handling them took %lu ms, %lu ns each: less than %u",
              busy / 1000000, busy / faults, FAULT_NS_MOST);
    check_bounds(storm);
}

/* Pages at a time, which are more faults at once than a log holds. */
static void burst(struct storm *storm)
{
    struct rogue *rogue = &storm->rogue;
    uint64_t bus[BURST_PAGES], before = faults_by_now(rogue->lab);
    for (unsigned i = 0; i < BURST_PAGES; i++)
        bus[i] = rogue->secrets[i].phys;
    storm->witness = (struct witness){0};
    rogue_work_afresh(rogue);
    /* So long that a copy of the other device ends in it, or there is nothing to measure. */
    for (rogue->commands = 0; rogue->commands < BURST_COMMANDS || rogue->slowest_copy_ns == 0;)
        rogue_misuse(rogue, bus, BURST_PAGES);
    uint64_t faults = faults_by_now(rogue->lab) - before;
    check_told(storm, faults);
    if (rogue->lab->expect->admits_losses)
        check(storm->witness.short_of > 0,
              "%u commands of %u pages were more than the unit has room for, which it said %lu "
              "times",
              rogue->commands, BURST_PAGES, storm->witness.short_of);
    else
        say("(what it had no room for is not known: %s)", rogue->lab->expect->loss_remark);
    check_bounds(storm);
}

static void measure_alone(struct storm *storm)
{
    struct rogue *rogue = &storm->rogue;
    rogue_work_afresh(rogue);
    while (edu_busy(rogue->worker.edu))
        arch_pause();
    rogue_work_on(rogue);
    storm->alone_ns = rogue->slowest_copy_ns;
    storm->pages = machine_host_pages_held();
    storm->objects = machine_host_objects_held();
}

static void rage(struct storm *storm)
{
    struct rogue *rogue = &storm->rogue;
    struct lab *lab = rogue->lab;
    if (!rogue_prepare(lab, rogue, SLUICE_FAULTS_UNLIMITED) ||
        !check(sluice_fault_subscribe(lab->sluice, on_record, &storm->witness,
                                      &storm->subscription) == SLUICE_OK,
               "somebody wants to be told of every fault"))
        return;
    measure_alone(storm);
    if (weigh(storm)) {
        steady(storm);
        burst(storm);
    }
    sluice_fault_unsubscribe(storm->subscription);
    check(rogue_disk_works(rogue), "what is mapped still works");
    rogue_check_untouched(rogue);
    rogue_check_nothing_stolen(rogue);
    rogue_finish(rogue);
}

static void run_storm(struct lab *lab)
{
    static struct storm storm; /* too large for the stack */
    storm = (struct storm){.rogue.lab = lab};
    if (!lab->expect->logs_faults) {
        skip("%s", lab->expect->remark);
        return;
    }
    /* Nothing is a flood: it is the library that has to bear it, not the unit that is silent. */
    if (lab_restart(lab, SLUICE_FAULTS_UNLIMITED, 0))
        rage(&storm);
    check(lab_release(lab) && lab_restart(lab, 0, 0), "the usual instance is back");
}

const struct scenario scenarios_storm[] = {
    {"hostile-disk", "A disk turns hostile, is cut off, and works after its own reset", run_rogue},
    {"storm", "A storm of faults costs little, and is counted to the last", run_storm},
    {NULL, NULL, NULL},
};
