// SPDX-License-Identifier: MIT
/*
 * Interrupts through the library's entries, judged by the vectors that fired: a disk's and a pin's,
 * moved while they come, and a device that sends messages which are not its own.
 */
#include "arch.h"
#include "options.h"
#include "pages.h"
#include "remap.h"
#include "stage.h"

#define ANSWER_NS    200000000ull
#define SILENCE_NS   20000000ull
#define MOVES        20u
#define LEVELS       5u
#define UNUSED_ENTRY (1000u << 5) /* on the address: the entry a thousand further on */
#define UNUSED_DATA  3u           /* on the data, where that is the entry */
#define DISK_BASE    UINT64_C(0x200000)

/* A vector that counts. */
struct counter {
    unsigned irq;
    volatile uint64_t fired;
};

static void count(void *context)
{
    struct counter *counter = context;
    counter->fired++;
}

static bool counter_open(struct counter *counter)
{
    counter->fired = 0;
    return check(arch_irq_alloc(count, counter, &counter->irq), "a vector is free");
}

static bool counter_waits(const struct counter *counter, uint64_t wanted)
{
    uint64_t deadline = arch_now_ns() + ANSWER_NS;
    while (counter->fired < wanted && arch_now_ns() < deadline)
        arch_pause();
    return counter->fired >= wanted;
}

static void pause_for(uint64_t ns)
{
    uint64_t deadline = arch_now_ns() + ns;
    while (arch_now_ns() < deadline)
        arch_pause();
}

static struct sluice_interrupt *interrupt_of(struct lab *lab, const struct edu *edu)
{
    return lab->interrupts[edu - lab->edus];
}

static enum sluice_status route_to(struct sluice_interrupt *interrupt, unsigned index, unsigned irq)
{
    const struct sluice_interrupt_route route = {.vector = (uint8_t)irq,
                                                 .destination = arch_cpu_id()};
    return sluice_interrupt_route(interrupt, index, &route);
}

/* ---- moving ---- */

/* Every round of the device's loop is started by the interrupt of the last: a lost one ends it. */
static void move_while_running(struct stage *stage, struct sluice_interrupt *interrupt)
{
    struct edu *edu = stage->edu;
    unsigned home = edu->irq, other;
    if (!check(arch_irq_alloc(edu_interrupt, edu, &other), "a second vector is free"))
        return;
    uint64_t before = edu->interrupts;
    bool running = edu_loop_start(edu, STAGE_DUMP, STAGE_BYTES), moved = true, arrived = true;
    for (unsigned i = 0; running && arrived && i < MOVES; i++) {
        moved &= route_to(interrupt, 0, i % 2 == 0 ? other : home) == SLUICE_OK;
        arrived = edu_loop_wait(edu, 1);
    }
    check(running && moved, "its interrupt is moved %u times while it copies", MOVES);
    check(arrived && edu->interrupts >= before + MOVES,
          "not one was lost: %lu copies were each started by the interrupt of the one before",
          edu->interrupts - before);
    check(edu_loop_stop(edu), "it is told to stop");
    pause_for(SILENCE_NS);
    check(route_to(interrupt, 0, home) == SLUICE_OK, "and its interrupt goes where it went before");
    arch_irq_free(other);
}

static void run_moved(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    uint64_t strangers = arch_irq_unexpected();
    move_while_running(&stage, interrupt_of(lab, stage.edu));
    check(arch_irq_unexpected() == strangers, "no vector fired that nobody had asked for");
    lab_check_no_fault(lab);
}

/* ---- masking and freeing ---- */

static bool raises(struct stage *stage)
{
    uint64_t before = stage->edu->interrupts, deadline;
    if (!edu_start(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, true) ||
        !edu_wait(stage->edu))
        return false;
    deadline = arch_now_ns() + SILENCE_NS;
    while (stage->edu->interrupts == before && arch_now_ns() < deadline)
        arch_pause();
    return stage->edu->interrupts == before + 1;
}

static void run_masked(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct sluice_interrupt *interrupt = interrupt_of(lab, stage.edu);
    check(raises(&stage), "a copy raises its interrupt");
    check(sluice_interrupt_mask(interrupt, 0) == SLUICE_OK, "its entry is masked");
    check(!raises(&stage), "the next copy raises none");
    lab_check_no_fault(lab);
    edu_acknowledge(stage.edu);
    check(route_to(interrupt, 0, stage.edu->irq) == SLUICE_OK, "it is routed again");
    check(raises(&stage), "and there it is");
    check(remap_forget(lab, stage.edu->pci), "its entry is freed");
    check(!raises(&stage), "its message is void now");
    edu_acknowledge(stage.edu);
    lab_check_interrupt_fault(lab, pci_source_rid(stage.edu->pci));
    check(remap_device(lab, stage.edu) && raises(&stage), "with a new one it is heard again");
}

/* ---- a device that forges ---- */

/* The device writes a message as if it were data. */
static bool forge(struct stage *stage, uint64_t address, uint32_t data)
{
    *(volatile uint32_t *)(void *)stage->load.virt = data;
    return edu_copy(stage->edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, sizeof(data)) &&
           edu_copy(stage->edu, EDU_TO_MEMORY, address, 0, sizeof(data));
}

/* ... or programs its own message, and raises its interrupt. */
static bool forge_own(struct stage *stage, uint64_t address, uint32_t data)
{
    bool done = pci_set_message(stage->edu->pci, address, data) &&
                edu_start(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, true) &&
                edu_wait(stage->edu);
    pause_for(SILENCE_NS);
    edu_acknowledge(stage->edu);
    return done;
}

/* What the emulation cannot stop is told, and not taken for stopped. */
static void check_silent(struct counter *victim, bool expected, const char *remark)
{
    pause_for(SILENCE_NS);
    if (expected)
        check(victim->fired == 0, "that vector did not fire");
    else
        say("(that vector fired %lu times: %s)", victim->fired, remark);
    victim->fired = 0;
}

static void check_refused(struct lab *lab, struct counter *victim, bool expected,
                          const char *remark)
{
    check_silent(victim, expected, remark);
    if (expected)
        lab_check_interrupt_fault(lab, pci_source_rid(lab->wide->pci));
}

/* The same for one that was written as if it were data. */
static void check_refused_writing(struct lab *lab, struct counter *victim, bool expected,
                                  const char *remark)
{
    bool logged = !expected || lab->expect->logs_written_messages;
    if (logged) {
        check_refused(lab, victim, expected, remark);
        return;
    }
    check_silent(victim, true, NULL);
    say("(no fault record is looked for: %s)", lab->expect->written_remark);
}

static void forge_older_format(struct stage *stage, struct counter *victim)
{
    const struct expectation *expect = stage->lab->expect;
    uint64_t address;
    uint32_t data;
    if (!check(arch_irq_message(victim->irq, pci_source_rid(stage->edu->pci), &address, &data),
               "there is a message in the older format"))
        return;
    lab_forget_faults(stage->lab);
    check(forge_own(stage, address, data), "%s sends a message in the older format to vector 0x%x",
          stage->name, victim->irq);
    check_refused(stage->lab, victim, expect->refuses_older_messages, expect->messages_remark);
    lab_forget_faults(stage->lab);
    check(forge(stage, address, data), "it writes the same by DMA");
    check_refused_writing(stage->lab, victim, expect->refuses_older_messages,
                          expect->messages_remark);
}

static void forge_index(struct stage *stage, struct counter *victim, const struct sluice_msi *msi)
{
    const struct expectation *expect = stage->lab->expect;
    lab_forget_faults(stage->lab);
    check(forge_own(stage, msi->address, msi->data), "%s sends the other device's own message",
          stage->name);
    check_silent(victim, true, NULL);
    if (!expect->entries_are_the_senders)
        lab_check_interrupt_fault(stage->lab, pci_source_rid(stage->edu->pci));
    lab_forget_faults(stage->lab);
    check(forge(stage, msi->address, msi->data), "it writes the same by DMA");
    check_refused_writing(stage->lab, victim, expect->tells_message_sources,
                          expect->sources_remark);
    /* An entry that nobody routed: no source can make it deliver. */
    lab_forget_faults(stage->lab);
    uint64_t own = stage->edu->interrupts, strangers = arch_irq_unexpected();
    check(forge(stage, msi->address + UNUSED_ENTRY, msi->data + UNUSED_DATA) &&
              forge_own(stage, msi->address + UNUSED_ENTRY, msi->data + UNUSED_DATA),
          "it writes and sends messages that name an entry nobody has");
    check(victim->fired == 0 && stage->edu->interrupts == own && arch_irq_unexpected() == strangers,
          "nothing fired");
}

static bool put_into_domain(struct lab *lab, const struct pci_device *pci)
{
    struct sluice_device *device = lab_device(lab, pci);
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, device);
    return domain != NULL && sluice_domain_attach(domain, device) == SLUICE_OK;
}

static void run_forged(struct lab *lab)
{
    struct stage stage;
    struct counter victim;
    struct sluice_msi msi = {0};
    if (lab->plain == NULL || !stage_set(lab, &stage, lab->wide, SLUICE_DOMAIN_DMA) ||
        !counter_open(&victim))
        return;
    struct sluice_interrupt *theirs = interrupt_of(lab, lab->plain);
    if (!check(route_to(theirs, 0, victim.irq) == SLUICE_OK &&
                   sluice_interrupt_message(theirs, 0, &msi) == SLUICE_OK,
               "the entry of another device leads to vector 0x%x", victim.irq))
        return;
    /* Where a message is a write like any other, its sender has to be in a domain. */
    if (!lab->expect->messages_always_pass &&
        !check(put_into_domain(lab, lab->plain->pci), "that device is in a domain too"))
        return;
    forge_older_format(&stage, &victim);
    forge_index(&stage, &victim, &msi);
    victim.fired = 0;
    /* The control: the same message from its owner. */
    check(edu_start(lab->plain, EDU_TO_MEMORY, 0, 0, 4, true) && edu_wait(lab->plain) &&
              counter_waits(&victim, 1),
          "from the device that owns it, the message arrives");
    edu_acknowledge(lab->plain);
    check(remap_forget(lab, stage.edu->pci) && remap_device(lab, stage.edu),
          "the forger gets an entry of its own again");
    check(route_to(theirs, 0, lab->plain->irq) == SLUICE_OK, "the other's leads home");
    arch_irq_free(victim.irq);
}

/* ---- a disk ---- */

static bool disk_program(struct lab *lab, struct sluice_interrupt *interrupt,
                         struct counter counters[2])
{
    for (unsigned i = 0; i < 2; i++) {
        struct sluice_msi msi;
        if (route_to(interrupt, i, counters[i].irq) != SLUICE_OK ||
            sluice_interrupt_message(interrupt, i, &msi) != SLUICE_OK ||
            !pci_set_msix_entry(lab->nvme, i, msi.address, msi.data))
            return false;
    }
    return true;
}

static void use_disk(struct lab *lab, struct sluice_interrupt *interrupt,
                     struct counter counters[3], struct domain_dma *dma)
{
    struct nvme nvme;
    struct page page = lab_page(lab, 0);
    uint64_t bus = DISK_BASE;
    bool moved = true;
    if (!check(nvme_open_interrupting(&nvme, lab->nvme, &dma->dma), "its driver starts"))
        return;
    check(counter_waits(&counters[0], 1) && counters[1].fired == 0,
          "commands of the admin queue raise entry 0's vector: %lu times", counters[0].fired);
    if (!lab_map(dma->domain, bus, page.phys, MACHINE_PAGE_BYTES,
                 SLUICE_PROT_READ | SLUICE_PROT_WRITE))
        return;
    uint64_t admin = counters[0].fired;
    bool done = nvme_transfer(&nvme, true, 64, &bus, 1);
    check(done && counter_waits(&counters[1], 1) && counters[0].fired == admin,
          "a block written raises entry 1's vector");
    counters[1].fired = counters[2].fired = 0;
    for (unsigned i = 0; done && moved && i < MOVES; i++) {
        unsigned at = i % 2 == 0 ? 2 : 1;
        moved = route_to(interrupt, 1, counters[at].irq) == SLUICE_OK;
        uint64_t before = counters[at].fired;
        done = nvme_transfer(&nvme, false, 64, &bus, 1) && counter_waits(&counters[at], before + 1);
    }
    check(done && moved && counters[1].fired + counters[2].fired >= MOVES,
          "moved between %u reads, each one's interrupt came where it was sent", MOVES);
    nvme_close(&nvme);
}

static void run_disk_interrupts(struct lab *lab)
{
    struct counter counters[3];
    struct domain_dma dma;
    struct sluice_interrupt *interrupt;
    struct sluice_device *device = lab->nvme != NULL ? lab_device(lab, lab->nvme) : NULL;
    if (device == NULL) {
        skip("the machine lacks the disk this needs");
        return;
    }
    const struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_MSIX, .device = device, .count = 2, .name = "disk"};
    struct sluice_domain *domain = lab_domain(lab, SLUICE_DOMAIN_DMA, device);
    if (domain == NULL ||
        !check(sluice_domain_attach(domain, device) == SLUICE_OK,
               "the disk is put into a domain") ||
        !counter_open(&counters[0]) || !counter_open(&counters[1]) || !counter_open(&counters[2]))
        return;
    domain_dma_init(&dma, domain, STAGE_IOVA);
    enum sluice_status status = sluice_interrupt_alloc(lab->sluice, &config, &interrupt);
    if (check(status == SLUICE_OK, "it gets two entries: %s", sluice_status_text(status))) {
        lab_forget_faults(lab);
        if (check(disk_program(lab, interrupt, counters), "its MSI-X table is programmed"))
            use_disk(lab, interrupt, counters, &dma);
        pci_clear_message(lab->nvme);
        lab_check_no_fault(lab);
        check(sluice_interrupt_free(interrupt) == SLUICE_OK, "its entries are freed");
    }
    for (unsigned i = 0; i < 3; i++)
        arch_irq_free(counters[i].irq);
}

/* ---- a pin ---- */

/* A level stays until its cause is gone. */
static void lower_and_count(void *context)
{
    arch_pin_lower();
    count(context);
}

/* Raised, handled and ended, over and over: one that the IOAPIC does not see ended comes no more.
 */
static void use_level(struct sluice_interrupt *pin)
{
    struct counter level = {.fired = 0};
    uint64_t entry = 0, arrived = 0;
    if (!check(arch_irq_alloc(lower_and_count, &level, &level.irq), "a vector is free"))
        return;
    const struct sluice_interrupt_route route = {
        .vector = (uint8_t)level.irq, .destination = arch_cpu_id(), .level = true};
    if (check(sluice_interrupt_route(pin, 0, &route) == SLUICE_OK &&
                  sluice_interrupt_ioapic_entry(pin, &entry) == SLUICE_OK,
              "the pin is routed to vector 0x%x as a level", level.irq)) {
        arch_pin_write(entry);
        for (unsigned i = 1; i <= LEVELS; i++) {
            arch_pin_raise();
            if (!counter_waits(&level, i))
                break;
            arch_pin_end(entry);
            arrived++;
        }
        check(arrived == LEVELS && level.fired == LEVELS,
              "each of %u levels raises it once, and ends with the IOAPIC told", LEVELS);
        arch_pin_write(entry | ARCH_PIN_MASKED);
    }
    arch_irq_free(level.irq);
}

static void use_pin(struct sluice_interrupt *pin, struct counter *counter, struct counter *other)
{
    uint64_t entry = 0;
    check(route_to(pin, 0, counter->irq) == SLUICE_OK &&
              sluice_interrupt_ioapic_entry(pin, &entry) == SLUICE_OK,
          "the timer's pin is routed to vector 0x%x", counter->irq);
    arch_pin_write(entry);
    arch_pin_raise();
    check(counter_waits(counter, 1), "the timer runs out, and the vector fires");
    check(route_to(pin, 0, other->irq) == SLUICE_OK, "it is moved to vector 0x%x", other->irq);
    if (sluice_interrupt_ioapic_entry(pin, &entry) == SLUICE_OK)
        arch_pin_write(entry);
    uint64_t before = counter->fired;
    arch_pin_raise();
    check(counter_waits(other, 1) && counter->fired == before, "the next time that one fires");
    arch_pin_write(entry | ARCH_PIN_MASKED);
    use_level(pin);
}

/* The message goes past the unit, and says what the entry's low byte says. */
static void use_pin_that_passes(struct lab *lab, struct sluice_interrupt *pin,
                                struct counter *counter)
{
    uint64_t entry = 0, deadline = arch_now_ns() + ANSWER_NS, strangers = arch_irq_unexpected();
    check(route_to(pin, 0, counter->irq) == SLUICE_OK &&
              sluice_interrupt_ioapic_entry(pin, &entry) == SLUICE_OK,
          "the timer's pin is routed to vector 0x%x", counter->irq);
    arch_pin_write(entry);
    arch_pin_raise();
    while (arch_irq_unexpected() == strangers && arch_now_ns() < deadline)
        arch_pause();
    check(arch_irq_unexpected() == strangers + 1 && counter->fired == 0,
          "its message arrives as it was sent, not remapped");
    say("(%s)", lab->expect->pins_remark);
    arch_pin_write(entry | ARCH_PIN_MASKED);
}

static void run_pin(struct lab *lab)
{
    struct counter counter, other;
    struct sluice_interrupt *pin;
    struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_IOAPIC, .count = 1, .name = "timer"};
    if (!arch_pin_find(&config.unit_id)) {
        skip("the machine has no IOAPIC");
        return;
    }
    if (!counter_open(&counter) || !counter_open(&other))
        return;
    enum sluice_status status = sluice_interrupt_alloc(lab->sluice, &config, &pin);
    if (check(status == SLUICE_OK, "IOAPIC %u gets an entry: %s", config.unit_id,
              sluice_status_text(status))) {
        lab_forget_faults(lab);
        if (option_given("pins-pass"))
            use_pin_that_passes(lab, pin, &counter);
        else
            use_pin(pin, &counter, &other);
        lab_check_no_fault(lab);
        check(sluice_interrupt_free(pin) == SLUICE_OK, "its entry is freed");
    }
    arch_irq_free(counter.irq);
    arch_irq_free(other.irq);
}

const struct scenario scenarios_interrupt[] = {
    {"interrupt-moved", "An interrupt is moved while it comes, and none is lost", run_moved},
    {"interrupt-masked", "A masked or freed entry lets nothing through", run_masked},
    {"interrupt-forged", "A device that forges messages raises no interrupt", run_forged},
    {"interrupt-disk", "A disk's queues each raise their own vector", run_disk_interrupts},
    {"interrupt-pin", "A pin of the IOAPIC is remapped too", run_pin},
    {NULL, NULL, NULL},
};
