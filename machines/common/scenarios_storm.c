// SPDX-License-Identifier: MIT
/*
 * The disk as the hostile one: commands that point outside its mappings, by hand until it is cut
 * off, and by the hundred to see what a storm of faults costs. An edu device works beside it.
 */
#include "arch.h"
#include "host.h"
#include "pages.h"
#include "reset.h"
#include "stage.h"
#include "string.h"

#define READ_WRITE     (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define LIMIT          32u
#define DRIVER_BASE    UINT64_C(0x40000000)
#define DATA_IOVA      UINT64_C(0x60000000)
#define GOOD_LBA       512u
#define STOLEN_LBA     1024u
#define PAGE_BLOCKS    (MACHINE_PAGE_BYTES / 512u)
#define DISK_SEED      0xd15cu /* of what lies on the disk */
#define SECRET_SEED    0x5ec7e7u
#define SECRETS        8u
#define SILENCE_NS     20000000ull
#define STORM_COMMANDS 48u
#define STORM_PAGES    4u    /* of each, of which none is mapped */
#define STORM_FAULTS   6000u /* are a storm: no more commands then */
#define SILENCE_COSTS  16u /* pages and objects: what a unit needs to hear no more of one source */
#define FAULT_NS_MOST  400000u /* that one fault may cost: 6000 instructions, as time is counted */

struct rogue {
    struct lab *lab;
    struct nvme nvme;
    struct domain_dma dma;
    struct sluice_device *device;
    struct page good, secrets[SECRETS];
    struct stage worker; /* the edu that works beside it */
    unsigned copies, copies_right;
    uint64_t worker_faults; /* of the time before */
    unsigned commands;
    unsigned stored;    /* pages that it was told to store, from STOLEN_LBA on */
    uint64_t polled_ns; /* spent on looking for faults, where no interrupt tells of them */
};

static void look_around(struct rogue *rogue)
{
    machine_host_run_deferred();
    if (rogue->lab->expect->raises_notice)
        return;
    uint64_t before = arch_now_ns();
    (void)sluice_fault_poll(rogue->lab->sluice);
    rogue->polled_ns += arch_now_ns() - before;
}

/* ---- the other's work ---- */

static void work_begin(struct rogue *rogue)
{
    struct stage *worker = &rogue->worker;
    fill_pattern(worker->dump.virt, STAGE_BYTES, rogue->copies);
    rogue->copies++;
    (void)edu_start(worker->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, false);
}

static void work_end(struct rogue *rogue)
{
    rogue->copies_right += edu_wait(rogue->worker.edu) &&
                           has_pattern(rogue->worker.dump.virt, STAGE_BYTES, STAGE_SEED);
}

/* A copy is always under way: the next begins when one has ended. */
static void work_on(struct rogue *rogue)
{
    if (edu_busy(rogue->worker.edu))
        return;
    work_end(rogue);
    work_begin(rogue);
}

/* ---- the disk ---- */

static bool disk_works(struct rogue *rogue)
{
    uint64_t bus = DATA_IOVA;
    fill_pattern(rogue->good.virt, MACHINE_PAGE_BYTES, DISK_SEED);
    bool done = nvme_transfer(&rogue->nvme, true, GOOD_LBA, &bus, 1);
    memset(rogue->good.virt, 0, MACHINE_PAGE_BYTES);
    return done && nvme_transfer(&rogue->nvme, false, GOOD_LBA, &bus, 1) &&
           has_pattern(rogue->good.virt, MACHINE_PAGE_BYTES, DISK_SEED);
}

static bool disk_enter(struct rogue *rogue, uint32_t limit)
{
    struct lab *lab = rogue->lab;
    char text[16];
    if (!check(lab_set_limit(lab, lab->nvme, limit), "%s, a disk, is known again",
               device_text(lab->nvme, text)))
        return false;
    rogue->device = lab_device(lab, lab->nvme);
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, rogue->device);
    if (domain == NULL || !check(sluice_domain_attach(domain, rogue->device) == SLUICE_OK,
                                 "it is put into a domain of its own"))
        return false;
    domain_dma_init(&rogue->dma, domain, DRIVER_BASE);
    rogue->good = lab_page(lab, 0);
    return lab_map(domain, DATA_IOVA, rogue->good.phys, LAB_PAGE, READ_WRITE) &&
           check(nvme_open(&rogue->nvme, lab->nvme, &rogue->dma.dma) && disk_works(rogue),
                 "its driver starts, and it stores and fetches");
}

static bool prepare(struct lab *lab, struct rogue *rogue, uint32_t limit)
{
    *rogue = (struct rogue){.lab = lab};
    if (lab->nvme == NULL || lab_device(lab, lab->nvme) == NULL) {
        skip("the machine lacks the disk this needs");
        return false;
    }
    if (!stage_set(lab, &rogue->worker, lab->plain, SLUICE_DOMAIN_DMA) || !disk_enter(rogue, limit))
        return false;
    for (unsigned i = 0; i < SECRETS; i++) {
        rogue->secrets[i] = i % 2 == 0 ? lab_page(lab, 0) : lab_high_page(lab, 0);
        fill_pattern(rogue->secrets[i].virt, MACHINE_PAGE_BYTES, SECRET_SEED + i);
    }
    lab_forget_faults(lab);
    rogue->worker_faults = lab_faults_of(rogue->worker.device);
    work_begin(rogue);
    return true;
}

static void finish(struct rogue *rogue)
{
    struct lab *lab = rogue->lab;
    work_end(rogue);
    check(rogue->copies_right == rogue->copies,
          "of the other device's %u copies %u arrived as they were sent", rogue->copies,
          rogue->copies_right);
    nvme_close(&rogue->nvme);
    lab_forget_faults(lab);
    check(lab_release(lab) && lab_set_limit(lab, lab->nvme, SLUICE_FAULTS_UNLIMITED),
          "both are taken out of their domains");
}

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
    if (index / 2 < SECRETS)
        return rogue->secrets[index / 2].phys;
    if (index % 4 == 1 && machine_host_page(index, &phys))
        return phys;
    (void)machine_ram_extent(0, &first, &last);
    return first +
           (last - first) / LIMIT * (index % LIMIT) / MACHINE_PAGE_BYTES * MACHINE_PAGE_BYTES;
}

/* Stores what lies at these addresses, or brings the disk's bytes there. An emulated disk may well
 * report success: memory and the disk decide. */
static void misuse(struct rogue *rogue, const uint64_t *bus, unsigned pages)
{
    bool store = rogue->commands++ % 2 == 0;
    uint64_t lba = store ? STOLEN_LBA + (uint64_t)rogue->stored * PAGE_BLOCKS : GOOD_LBA;
    (void)nvme_transfer(&rogue->nvme, store, lba, bus, pages);
    rogue->stored += store ? pages : 0;
    look_around(rogue);
    work_on(rogue);
}

static void sweep(struct rogue *rogue)
{
    while (rogue->commands < LIMIT && !is_cut_off(rogue)) {
        uint64_t bus = address_of(rogue, rogue->commands);
        misuse(rogue, &bus, 1);
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
    const uint64_t bus = DATA_IOVA;
    const struct nvme_request request = {
        .lba = GOOD_LBA, .blocks = PAGE_BLOCKS, .prp = &bus, .prp_count = 1};
    uint8_t *queue = rogue->nvme.io.completion.virt;
    uint64_t before = checksum(queue, MACHINE_PAGE_BYTES), deadline;
    memset(rogue->good.virt, 0, MACHINE_PAGE_BYTES);
    pci_set_bus_master(rogue->lab->nvme, true);
    check(nvme_submit(&rogue->nvme, 0, &request), "it is given a command all the same");
    deadline = arch_now_ns() + SILENCE_NS;
    while (arch_now_ns() < deadline)
        arch_pause();
    look_around(rogue);
    pci_set_bus_master(rogue->lab->nvme, false);
    check(checksum(queue, MACHINE_PAGE_BYTES) == before &&
              all_bytes(rogue->good.virt, MACHINE_PAGE_BYTES, 0),
          "neither its queue nor its buffer has changed");
}

static void check_untouched(struct rogue *rogue)
{
    uint64_t phys;
    unsigned touched = 0;
    for (unsigned i = 0; i < SECRETS; i++)
        touched += !has_pattern(rogue->secrets[i].virt, MACHINE_PAGE_BYTES, SECRET_SEED + i);
    check(touched == 0, "every byte of %u pages it was after is as it was", SECRETS);
    for (unsigned i = 0; machine_host_page(i, &phys); i++)
        touched += has_pattern(arch_phys_to_virt(phys), STAGE_BYTES, DISK_SEED);
    check(touched == 0, "the disk's bytes lie in no table or queue of the library");
}

static void check_nothing_stolen(struct rogue *rogue)
{
    uint64_t bus = DATA_IOVA;
    unsigned stolen = 0, looked = 0;
    for (unsigned i = 0; i < rogue->stored; i++) {
        looked +=
            nvme_transfer(&rogue->nvme, false, STOLEN_LBA + (uint64_t)i * PAGE_BLOCKS, &bus, 1);
        for (unsigned j = 0; j < SECRETS; j++)
            stolen += has_pattern(rogue->good.virt, STAGE_BYTES, SECRET_SEED + j);
    }
    check(looked > 0 && looked == rogue->stored && stolen == 0,
          "in none of the %u pages that it was told to store lies a secret", looked);
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
           check(disk_works(rogue), "it stores and fetches again");
}

static void run_rogue(struct lab *lab)
{
    static struct rogue rogue; /* too large for the stack */
    if (!prepare(lab, &rogue, LIMIT))
        return;
    say("its commands point to memory that is not mapped for it");
    sweep(&rogue);
    check_cut_off(&rogue);
    check_silent(&rogue);
    check_untouched(&rogue);
    if (!recover(&rogue))
        return;
    lab_forget_faults(lab);
    check_nothing_stolen(&rogue);
    lab_check_no_fault(lab);
    finish(&rogue);
}

/* ---- storm ---- */

struct witness {
    uint64_t told, lost;
};

static void on_record(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct witness *witness = arg;
    (void)record;
    witness->told++;
    witness->lost += lost;
}

static uint64_t faults_so_far(struct lab *lab)
{
    struct sluice_fault_counts counts;
    sluice_fault_counts(lab->sluice, &counts);
    return counts.faults;
}

static void blow(struct rogue *rogue, uint64_t before)
{
    uint64_t bus[STORM_PAGES];
    for (unsigned i = 0; i < STORM_PAGES; i++)
        bus[i] = rogue->secrets[i].phys;
    while (rogue->commands < STORM_COMMANDS && faults_so_far(rogue->lab) - before < STORM_FAULTS)
        misuse(rogue, bus, STORM_PAGES);
}

static void check_cost(struct rogue *rogue, uint64_t faults, uint64_t busy_ns, uint64_t took_ns)
{
    bool lost = false;
    (void)lab_has_fault(rogue->lab, rogue->lab->nvme, &lost);
    check(faults > 0, "%u commands made %lu faults in %lu us%s", rogue->commands, faults,
          took_ns / 1000,
          lost ? "; the unit said, or there was no room to keep, that there were more" : "");
    if (faults > 0)
        check(busy_ns / faults < FAULT_NS_MOST,
              "handling them took %lu us, %lu ns each: less than %u", busy_ns / 1000,
              busy_ns / faults, FAULT_NS_MOST);
}

static void run_storm(struct lab *lab)
{
    static struct rogue rogue; /* too large for the stack */
    struct sluice_fault_subscription *subscription;
    struct witness witness = {0};
    if (!lab->expect->logs_faults) {
        skip("%s", lab->expect->remark);
        return;
    }
    if (!prepare(lab, &rogue, SLUICE_FAULTS_UNLIMITED) ||
        !check(sluice_fault_subscribe(lab->sluice, on_record, &witness, &subscription) == SLUICE_OK,
               "somebody wants to be told of every fault"))
        return;
    uint64_t faults = faults_so_far(lab), busy = machine_host_busy_ns(), began = arch_now_ns();
    uint64_t pages = machine_host_pages_held(), objects = machine_host_objects_held();
    blow(&rogue, faults);
    uint64_t took = arch_now_ns() - began;
    lab_forget_faults(lab); /* the last of it, whoever would tell */
    machine_host_run_deferred();
    faults = faults_so_far(lab) - faults;
    check_cost(&rogue, faults, machine_host_busy_ns() - busy + rogue.polled_ns, took);
    check(witness.told + witness.lost == faults,
          "of %lu faults %lu were told and %lu counted as overwritten: not one is missing", faults,
          witness.told, witness.lost);
    check(machine_host_pages_held() <= pages + SILENCE_COSTS &&
              machine_host_objects_held() <= objects + SILENCE_COSTS,
          "they cost %lu pages and %lu objects, however many they are",
          machine_host_pages_held() - pages, machine_host_objects_held() - objects);
    sluice_fault_unsubscribe(subscription);
    check(disk_works(&rogue), "what is mapped still works");
    check_untouched(&rogue);
    check_nothing_stolen(&rogue);
    finish(&rogue);
}

const struct scenario scenarios_storm[] = {
    {"hostile-disk", "A disk turns hostile, is cut off, and works after its own reset", run_rogue},
    {"storm", "A storm of faults costs little, and is counted to the last", run_storm},
    {NULL, NULL, NULL},
};
