// SPDX-License-Identifier: MIT
/*
 * Two devices at work, one of which turns hostile: it sweeps addresses, goes on using what was
 * revoked, forges interrupts. It is cut off within its threshold while the other notices nothing;
 * then it is reset, put back, and works.
 */
#include "arch.h"
#include "host.h"
#include "load.h"
#include "pages.h"
#include "remap.h"
#include "reset.h"
#include "stage.h"
#include "string.h"

#define READ_WRITE   (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define LIMIT        10u /* the library's own when nobody says otherwise */
#define LIMIT_POLLED 4u
#define CREEP_BYTES  4u /* the fewest, so that no unit tells of more than one fault */
#define CALM_PAGES   3u /* of the disk's work between two attacks */
#define TARGETS_MOST 20u
#define CANARIES     2u
#define CANARY_SEED  0xca11u
#define CODE_AT      4096u /* into the kernel's image */
#define STOLEN_AT    1024u /* in the device's buffer: what it read, in slots */
#define STOLEN_BYTES 64u
#define SILENCE_NS   20000000ull
#define REGISTERS_AT 0x14u /* of the disk: what turns it off when it is written */

struct target {
    const char *what;
    uint64_t address;
    const uint8_t *memory; /* where that is; NULL: not memory */
    bool write;
};

struct hostile {
    struct lab *lab;
    struct stage stage;
    struct load *load;
    bool polled; /* no event interrupt: faults are found by looking */
    uint32_t limit;
    struct page own, canaries[CANARIES];
    uint8_t code[MACHINE_PAGE_BYTES]; /* as the kernel's code was */
    struct target targets[TARGETS_MOST];
    unsigned target_count, attacks;
    uint64_t disk_faults; /* of the time before */
    unsigned victim_irq;
    volatile uint64_t victim_fired;
};

/* ---- the sweep ---- */

static void add_target(struct hostile *hostile, const char *what, uint64_t address,
                       const void *memory, bool write)
{
    if (hostile->target_count < TARGETS_MOST)
        hostile->targets[hostile->target_count++] = (struct target){what, address, memory, write};
}

static void add_both(struct hostile *hostile, const char *what, uint64_t address,
                     const void *memory)
{
    add_target(hostile, what, address, memory, true);
    add_target(hostile, what, address, memory, false);
}

/* What the library took first is most likely a unit's, what it took last a domain's. */
static void add_tables(struct hostile *hostile)
{
    uint64_t first, last = 0, phys;
    if (!machine_host_page(0, &first))
        return;
    for (unsigned i = 0; machine_host_page(i, &phys); i++)
        last = phys;
    add_both(hostile, "what the library keeps for the unit", first, arch_phys_to_virt(first));
    add_target(hostile, "a table of a domain", last, arch_phys_to_virt(last), true);
}

static void choose_targets(struct hostile *hostile)
{
    struct lab *lab = hostile->lab;
    struct sluice_unit_info unit;
    uint64_t image, end;
    arch_image_range(&image, &end);
    add_both(hostile, "a mapping that was revoked", STAGE_IOVA, hostile->own.virt);
    for (unsigned i = 0; i < CANARIES; i++)
        add_both(hostile, "memory of nobody", hostile->canaries[i].phys, hostile->canaries[i].virt);
    add_both(hostile, "the kernel's code", image + CODE_AT, arch_phys_to_virt(image + CODE_AT));
    add_both(hostile, "the disk's buffer", hostile->load->page.phys, NULL);
    add_target(hostile, "an address of the disk's domain", hostile->load->last_address, NULL, true);
    add_tables(hostile);
    add_target(hostile, "the disk's registers", lab->nvme->bars[0].phys + REGISTERS_AT, NULL, true);
    if (sluice_unit_info(lab->sluice, 0, &unit) == SLUICE_OK && unit.base != 0)
        add_target(hostile, "the unit's own registers", unit.base, NULL, true);
}

static uint8_t slot_of(const struct hostile *hostile, const struct target *target)
{
    return (uint8_t)(target - hostile->targets);
}

/* What the machine does besides: it handles what came. */
static void look_around(struct hostile *hostile)
{
    machine_host_run_deferred();
    if (hostile->polled)
        (void)sluice_fault_poll(hostile->lab->sluice);
}

/* One access; the disk works while it goes on, and once more by itself. */
static bool attack(struct hostile *hostile, const struct target *target, unsigned bytes)
{
    struct edu *edu = hostile->stage.edu;
    unsigned at = target->write ? 0 : STOLEN_AT + STOLEN_BYTES * slot_of(hostile, target);
    bool done = edu_start(edu, target->write ? EDU_TO_MEMORY : EDU_FROM_MEMORY, target->address, at,
                          bytes, false) &&
                load_beside(hostile->load, edu);
    hostile->attacks++;
    look_around(hostile);
    return done && load_run(hostile->load, LOAD_CALM, CALM_PAGES);
}

static enum sluice_device_state state_of(const struct hostile *hostile)
{
    struct sluice_device_health health;
    return sluice_device_health(hostile->stage.device, &health) == SLUICE_OK
               ? health.state
               : SLUICE_DEVICE_QUARANTINED;
}

/* Sweeps from target `first` on, round and round, until the device is cut off or was bold enough.
 * Returns how many accesses that took. */
static unsigned sweep(struct hostile *hostile, unsigned first)
{
    unsigned count = 0;
    while (count < hostile->limit && state_of(hostile) != SLUICE_DEVICE_QUARANTINED) {
        const struct target *target = &hostile->targets[(first + count) % hostile->target_count];
        if (hostile->attacks < hostile->target_count)
            say("it tries to %s %s, 0x%lx", target->write ? "write" : "read", target->what,
                target->address);
        if (!attack(hostile, target, CREEP_BYTES))
            break;
        count++;
    }
    return count;
}

/* ---- cut off ---- */

static void cut_off(struct hostile *hostile, unsigned first)
{
    struct lab *lab = hostile->lab;
    unsigned told = lab->quarantines;
    if (!hostile->polled && lab->expect->logs_faults && !lab->expect->raises_notice) {
        hostile->polled = true;
        say("(faults are looked for: %s)", lab->expect->notice_remark);
    }
    unsigned attacks = sweep(hostile, first);
    if (lab->expect->logs_faults) {
        check(state_of(hostile) == SLUICE_DEVICE_QUARANTINED,
              "%s was cut off by itself after %u accesses; %u are allowed", hostile->stage.name,
              attacks, hostile->limit - 1);
    } else {
        say("(it is cut off by hand: %s)", lab->expect->remark);
        check(sluice_device_quarantine(hostile->stage.device) == SLUICE_OK,
              "%s is cut off after %u accesses", hostile->stage.name, attacks);
    }
    check(lab->quarantines == told + 1, "its owner was told once");
}

static void check_health(struct hostile *hostile)
{
    struct lab *lab = hostile->lab;
    struct sluice_device_health health = {0};
    bool known = sluice_device_health(hostile->stage.device, &health) == SLUICE_OK;
    check(known && health.state == SLUICE_DEVICE_QUARANTINED && health.confirmed &&
              !sluice_device_is_operational(hostile->stage.device),
          "the unit confirmed that it let go of it");
    check(health.bus_master_off && !pci_is_bus_master(hostile->stage.edu->pci),
          "its bus mastering is off, as its command register says");
    check(health.interrupts == (remap_wanted() && hostile->stage.edu->has_irq ? 1u : 0u),
          "%u of its interrupt entries refuse", health.interrupts);
    check(health.max_faults == hostile->limit &&
              (health.fault_count >= hostile->limit || !lab->expect->logs_faults),
          "it was counted: %lu faults, of %u that are too many", health.fault_count,
          health.max_faults);
    check(lab_faults_of(hostile->load->device) == hostile->disk_faults,
          "the disk is not cut off, and has not faulted");
}

/* Its domain's mappings are as they were: it is the device that reaches none of them. */
static void check_mapped_is_closed(struct hostile *hostile, const char *how)
{
    struct stage *stage = &hostile->stage;
    fill_pattern(stage->dump.virt, MACHINE_PAGE_BYTES, CANARY_SEED);
    bool done = edu_start(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, true) &&
                load_beside(hostile->load, stage->edu);
    look_around(hostile);
    check(done && has_pattern(stage->dump.virt, MACHINE_PAGE_BYTES, CANARY_SEED),
          "%s, it does not even reach what is mapped for it", how);
}

static void pause_for(uint64_t ns)
{
    uint64_t deadline = arch_now_ns() + ns;
    while (arch_now_ns() < deadline)
        arch_pause();
}

/* That copy asked for an interrupt at its end. */
static void check_no_interrupt(struct hostile *hostile, uint64_t before, bool expected)
{
    struct edu *edu = hostile->stage.edu;
    if (!edu->has_irq || hostile->polled)
        return;
    pause_for(SILENCE_NS);
    edu_acknowledge(edu);
    if (expected)
        check(edu->interrupts == before, "its interrupt does not arrive");
    else
        say("(its interrupt arrived %lu times: messages are not remapped on this machine)",
            edu->interrupts - before);
}

static void goes_on(struct hostile *hostile, unsigned first)
{
    struct lab *lab = hostile->lab;
    struct edu *edu = hostile->stage.edu;
    uint64_t interrupts = edu->interrupts;
    check_mapped_is_closed(hostile, "cut off");
    check_no_interrupt(hostile, interrupts, true);
    say("somebody turns its bus mastering on again");
    pci_set_bus_master(edu->pci, true);
    interrupts = edu->interrupts;
    check_mapped_is_closed(hostile, "with bus mastering");
    check_no_interrupt(hostile, interrupts, remap_wanted() || !lab->expect->messages_always_pass);
    for (unsigned i = first; i < hostile->target_count; i++)
        (void)attack(hostile, &hostile->targets[i], STOLEN_BYTES);
    pci_set_bus_master(edu->pci, false);
}

/* ---- forged interrupts ---- */

static void victim_fires(void *context)
{
    struct hostile *hostile = context;
    hostile->victim_fired++;
}

/* The device writes the message of another's interrupt as if it were data. */
static void forge(struct hostile *hostile, bool cut)
{
    struct lab *lab = hostile->lab;
    const struct expectation *expect = lab->expect;
    struct edu *edu = hostile->stage.edu;
    uint64_t address;
    uint32_t data;
    if (hostile->polled || lab->plain == NULL ||
        !check(
            arch_irq_message(hostile->victim_irq, pci_source_rid(lab->plain->pci), &address, &data),
            "there is a message for a vector of another device"))
        return;
    *(volatile uint32_t *)(void *)hostile->stage.load.virt = data;
    if (!cut && !edu_copy(edu, EDU_FROM_MEMORY, STAGE_LOAD, 512, sizeof(data)))
        return;
    hostile->victim_fired = 0;
    uint64_t strangers = arch_irq_unexpected();
    (void)(edu_start(edu, EDU_TO_MEMORY, address, 512, sizeof(data), false) &&
           load_beside(hostile->load, edu));
    pause_for(SILENCE_NS);
    look_around(hostile);
    bool stopped = remap_wanted()
                       ? expect->refuses_older_messages
                       : !expect->messages_always_pass && (cut || arch_messages_have_senders());
    if (stopped)
        check(hostile->victim_fired == 0 && arch_irq_unexpected() == strangers,
              "a message that it forged by DMA raised nothing");
    else
        say("(a message that it forged by DMA fired %lu times: %s)", hostile->victim_fired,
            remap_wanted() ? expect->messages_remark : "messages are not remapped on this machine");
}

/* ---- what it moved ---- */

static void check_untouched(struct hostile *hostile)
{
    uint64_t image, end, phys;
    unsigned pages = 0, touched = 0;
    arch_image_range(&image, &end);
    for (unsigned i = 0; i < CANARIES; i++)
        check(has_pattern(hostile->canaries[i].virt, MACHINE_PAGE_BYTES, CANARY_SEED + i),
              "every byte of the page at 0x%lx is as it was", hostile->canaries[i].phys);
    check(has_pattern(hostile->own.virt, MACHINE_PAGE_BYTES, CANARY_SEED + CANARIES),
          "so is every byte of what was revoked");
    check(memcmp(arch_phys_to_virt(image + CODE_AT), hostile->code, MACHINE_PAGE_BYTES) == 0,
          "and every byte of the kernel's code that it wrote to");
    for (unsigned i = 0; machine_host_page(i, &phys); i++, pages++)
        touched += has_pattern(arch_phys_to_virt(phys), CREEP_BYTES, STAGE_SEED);
    check(pages > 0 && touched == 0,
          "in none of the %u tables and queues of the library lies what it wrote", pages);
}

/* It is back, its buffer is as it was: does it hold what it was asked to read? */
static void check_nothing_stolen(struct hostile *hostile)
{
    struct stage *stage = &hostile->stage;
    unsigned stolen = 0, looked = 0;
    if (!check(edu_copy(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, STOLEN_AT,
                        STOLEN_BYTES * hostile->target_count),
               "it shows what it has read"))
        return;
    for (unsigned i = 0; i < hostile->target_count; i++) {
        const struct target *target = &hostile->targets[i];
        if (target->write || target->memory == NULL || all_bytes(target->memory, CREEP_BYTES, 0))
            continue;
        looked++;
        stolen +=
            memcmp(stage->dump.virt + (size_t)i * STOLEN_BYTES, target->memory, CREEP_BYTES) == 0;
    }
    check(looked >= 3 && stolen == 0, "of %u secrets it read it has none", looked);
}

/* ---- the way back ---- */

static bool set_edu_message(struct lab *lab, struct edu *edu)
{
    uint64_t address;
    uint32_t data;
    if (!edu->has_irq)
        return true;
    if (!remap_wanted())
        return arch_irq_message(edu->irq, pci_source_rid(edu->pci), &address, &data) &&
               pci_set_message(edu->pci, address, data);
    return remap_forget(lab, edu->pci) && remap_device(lab, edu);
}

static void check_works(struct hostile *hostile)
{
    struct stage *stage = &hostile->stage;
    uint64_t before = stage->edu->interrupts, deadline;
    fill_pattern(stage->load.virt, STAGE_BYTES, STAGE_SEED);
    bool done =
        edu_copy(stage->edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES) &&
        edu_start(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, stage->edu->has_irq) &&
        load_beside(hostile->load, stage->edu);
    check(done && has_pattern(stage->dump.virt, STAGE_BYTES, STAGE_SEED),
          "it reads and writes what is mapped for it");
    if (!stage->edu->has_irq)
        return;
    deadline = arch_now_ns() + SILENCE_NS;
    while (!hostile->polled && stage->edu->interrupts == before && arch_now_ns() < deadline)
        arch_pause();
    if (hostile->polled)
        edu_acknowledge(stage->edu);
    else
        check(stage->edu->interrupts == before + 1, "and its interrupt arrives");
}

static bool recover(struct hostile *hostile)
{
    struct stage *stage = &hostile->stage;
    struct sluice_device_health health;
    unsigned told = hostile->lab->recoveries, resets = machine_resets();
    enum sluice_status status = sluice_device_recover(stage->device);
    if (!check(status == SLUICE_OK && machine_resets() == resets + 1,
               "it is reset and put back into its domain: %s", sluice_status_text(status)))
        return false;
    check(sluice_device_health(stage->device, &health) == SLUICE_OK &&
              health.state == SLUICE_DEVICE_OPERATIONAL && health.fault_count == 0 &&
              health.recent == 0 && hostile->lab->recoveries == told + 1,
          "it counts as well, with no fault, and its owner was told");
    check(!pci_is_bus_master(stage->edu->pci), "its bus mastering is left to its driver");
    return check(edu_restart(stage->edu) && set_edu_message(hostile->lab, stage->edu),
                 "its driver starts");
}

/* ---- the story ---- */

static bool prepare(struct lab *lab, struct hostile *hostile, uint32_t limit)
{
    static struct load load; /* too large for the stack */
    uint64_t image, end;
    hostile->lab = lab;
    hostile->load = &load;
    hostile->limit = limit;
    if (lab->wide == NULL || lab_device(lab, lab->wide->pci) == NULL) {
        skip("the machine lacks the edu device this needs");
        return false;
    }
    if (!load_open(lab, &load))
        return false;
    if (!check(lab_set_limit(lab, lab->wide->pci, limit), "of one device %u faults are too many",
               limit) ||
        !stage_set(lab, &hostile->stage, lab->wide, SLUICE_DOMAIN_DMA))
        return false;
    hostile->own = lab_page(lab, 0);
    hostile->canaries[0] = lab_page(lab, 0);
    hostile->canaries[1] = lab_high_page(lab, 0);
    arch_image_range(&image, &end);
    memcpy(hostile->code, arch_phys_to_virt(image + CODE_AT), MACHINE_PAGE_BYTES);
    return lab_map(hostile->stage.domain, STAGE_IOVA, hostile->own.phys, LAB_PAGE, READ_WRITE) &&
           check(load_run(&load, LOAD_CALM, 2 * CALM_PAGES), "the disk works");
}

static bool turn(struct hostile *hostile)
{
    struct stage *stage = &hostile->stage;
    stage_check_writes(stage, STAGE_IOVA, hostile->own, ": it behaves so far");
    check(stage_show(stage),
          "and it uses what stays mapped, so that the unit has that in its cache");
    if (!lab_unmap(stage->domain, STAGE_IOVA, LAB_PAGE))
        return false;
    fill_pattern(hostile->own.virt, MACHINE_PAGE_BYTES, CANARY_SEED + CANARIES);
    for (unsigned i = 0; i < CANARIES; i++)
        fill_pattern(hostile->canaries[i].virt, MACHINE_PAGE_BYTES, CANARY_SEED + i);
    choose_targets(hostile);
    lab_forget_faults(hostile->lab);
    hostile->disk_faults = lab_faults_of(hostile->load->device);
    return true;
}

static void finish(struct hostile *hostile)
{
    struct lab *lab = hostile->lab;
    load_judge(hostile->load);
    load_close(hostile->load);
    lab_forget_faults(lab);
    check(lab_release(lab) && lab_set_limit(lab, hostile->stage.edu->pci, SLUICE_FAULTS_UNLIMITED),
          "both are taken out of their domains");
}

static void run_hostile(struct lab *lab)
{
    static struct hostile hostile; /* too large for the stack */
    memset(&hostile, 0, sizeof(hostile));
    if (!prepare(lab, &hostile, LIMIT) || !turn(&hostile))
        return;
    if (!check(arch_irq_alloc(victim_fires, &hostile, &hostile.victim_irq), "a vector is free"))
        return;
    forge(&hostile, false);
    cut_off(&hostile, 0);
    check_health(&hostile);
    goes_on(&hostile, LIMIT);
    pci_set_bus_master(lab->wide->pci, true);
    forge(&hostile, true);
    pci_set_bus_master(lab->wide->pci, false);
    check_untouched(&hostile);
    if (recover(&hostile)) {
        check_nothing_stolen(&hostile);
        check_works(&hostile);
    }
    check_untouched(&hostile);
    finish(&hostile);
    arch_irq_free(hostile.victim_irq);
}

static void polled(struct lab *lab, struct hostile *hostile)
{
    if (!prepare(lab, hostile, LIMIT_POLLED) || !turn(hostile))
        return;
    hostile->polled = true;
    cut_off(hostile, hostile->target_count - LIMIT_POLLED);
    check_health(hostile);
    if (!recover(hostile))
        return;
    check_works(hostile);
    hostile->limit--;
    unsigned attacks = sweep(hostile, 0);
    hostile->limit++;
    check(attacks == LIMIT_POLLED - 1 && state_of(hostile) != SLUICE_DEVICE_QUARANTINED,
          "it may misbehave %u times more", attacks);
    cut_off(hostile, 0);
    check_untouched(hostile);
    check(recover(hostile), "and comes back a second time");
    check_works(hostile);
    finish(hostile);
}

/* With interrupts off nobody but a look at the unit's log can tell of its faults. */
static void run_polled(struct lab *lab)
{
    static struct hostile hostile; /* too large for the stack */
    memset(&hostile, 0, sizeof(hostile));
    bool irqs = arch_irqs_disable();
    polled(lab, &hostile);
    arch_irqs_restore(irqs);
}

/* ---- behind a bridge ---- */

static bool copies(struct stage *stage)
{
    memset(stage->dump.virt, 0, STAGE_BYTES);
    return edu_copy(stage->edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, STAGE_BYTES) &&
           edu_copy(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES) &&
           has_pattern(stage->dump.virt, STAGE_BYTES, STAGE_SEED);
}

/* There is a reset that hardware does: that of the bridge's secondary bus. */
static void run_bridged(struct lab *lab)
{
    struct stage stage;
    unsigned resets = machine_resets();
    if (!lab->expect->tells_buses_apart) {
        skip("%s", lab->expect->buses_remark);
        return;
    }
    if (!stage_set(lab, &stage, lab->bridged, SLUICE_DOMAIN_DMA))
        return;
    check(copies(&stage), "it reads and writes what is mapped for it");
    check(sluice_device_quarantine(stage.device) == SLUICE_OK, "it is cut off by hand");
    pci_set_bus_master(stage.edu->pci, true);
    check(!copies(&stage), "now it does not, whatever its bus mastering is");
    enum sluice_status status = sluice_device_recover(stage.device);
    check(status == SLUICE_OK && machine_resets() == resets + 1 &&
              !pci_is_bus_master(stage.edu->pci),
          "a reset of the bus behind the bridge brings it back: %s", sluice_status_text(status));
    check(edu_restart(stage.edu) && set_edu_message(lab, stage.edu) && copies(&stage),
          "its driver starts, and it reads and writes again");
}

const struct scenario scenarios_hostile[] = {
    {"hostile", "A device turns hostile beside a disk at work, and is cut off", run_hostile},
    {"hostile-polled", "The same without the unit's interrupt, and twice", run_polled},
    {"hostile-bridged", "A device behind a bridge is cut off, and its bus is reset", run_bridged},
    {NULL, NULL, NULL},
};
