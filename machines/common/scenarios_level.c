// SPDX-License-Identifier: MIT
/*
 * Protection levels on this machine: which can be had, and what is missing where one cannot. And
 * what stands behind a level where nothing is remapped: that the interrupt controller knows each
 * message by who sent it.
 */
#include "arch.h"
#include "pages.h"
#include "remap.h"
#include "stage.h"

#define READ_WRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define ANSWER_NS  20000000ull

/* ---- levels ---- */

static void on_obstacle(void *arg, const struct sluice_obstacle *obstacle)
{
    unsigned *kinds = arg;
    *kinds |= 1u << obstacle->kind;
    say("in the way: %s", obstacle->text);
}

static void check_level(struct lab *lab, enum sluice_protection level, bool expected)
{
    const unsigned messages =
        1u << SLUICE_OBSTACLE_NO_REMAPPING | 1u << SLUICE_OBSTACLE_REMAPPING_OFF;
    unsigned kinds = 0;
    enum sluice_status status = sluice_protection_check(lab->sluice, level, on_obstacle, &kinds);
    if (expected)
        check(status == SLUICE_OK && kinds == 0 &&
                  sluice_protection_set(lab->sluice, level) == SLUICE_OK &&
                  sluice_protection(lab->sluice) == level,
              "level %s can be had, and holds", sluice_protection_text(level));
    else
        check(status == SLUICE_ERR_UNSUPPORTED && kinds != 0 && (kinds & ~messages) == 0,
              "level %s cannot be had, for what becomes of messages alone: %s",
              sluice_protection_text(level), sluice_status_text(status));
}

static void check_strict_forbids(struct lab *lab)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_IDENTITY, .name = "open"};
    struct sluice_domain *domain = NULL;
    check(sluice_domain_create(lab->sluice, &config, &domain) == SLUICE_ERR_DENIED &&
              domain == NULL,
          "no device is let through then");
}

static void run_level(struct lab *lab)
{
    bool isolated = remap_wanted() || arch_messages_have_senders();
    enum sluice_protection before = sluice_protection(lab->sluice);
    struct sluice_interrupt_info info;
    sluice_interrupt_info(lab->sluice, &info);
    check(info.remapped == remap_wanted() && info.isolated == (isolated && !remap_wanted()),
          "interrupts are %s",
          info.remapped   ? "remapped"
          : info.isolated ? "not remapped: the interrupt controller keeps them apart"
                          : "anybody's");
    check_level(lab, SLUICE_PROTECTION_BASIC, true);
    check_level(lab, SLUICE_PROTECTION_STANDARD, isolated);
    check_level(lab, SLUICE_PROTECTION_STRICT, isolated);
    if (isolated)
        check_strict_forbids(lab);
    check(sluice_protection_set(lab->sluice, before) == SLUICE_OK, "level %s holds again",
          sluice_protection_text(before));
}

/* ---- senders ---- */

struct receiver {
    volatile uint64_t fired;
};

static void count(void *context)
{
    struct receiver *receiver = context;
    receiver->fired++;
}

struct letter {
    uint64_t address;
    uint32_t data;
};

/* The device sends it as its own interrupt, at the end of a copy; true when something fired. */
static bool sends(struct stage *stage, const struct letter *letter, volatile uint64_t *fired)
{
    uint64_t before = *fired, deadline;
    if (!pci_set_message(stage->edu->pci, letter->address, letter->data) ||
        !edu_start(stage->edu, EDU_TO_MEMORY, STAGE_DUMP, 0, STAGE_BYTES, true) ||
        !edu_wait(stage->edu))
        return false;
    deadline = arch_now_ns() + ANSWER_NS;
    while (*fired == before && arch_now_ns() < deadline)
        arch_pause();
    edu_acknowledge(stage->edu);
    return *fired != before;
}

static void forge(struct stage *victim, struct stage *forger, unsigned irq,
                  volatile uint64_t *fired)
{
    struct letter theirs, own;
    if (!check(
            arch_irq_message(irq, pci_source_rid(victim->edu->pci), &theirs.address, &theirs.data),
            "%s has a message for a vector", victim->name))
        return;
    uint64_t strangers = arch_irq_unexpected();
    check(sends(victim, &theirs, fired), "sent by %s it fires", victim->name);
    check(!sends(forger, &theirs, fired) && arch_irq_unexpected() == strangers,
          "sent by %s, the very same message (0x%lx, %u) fires nothing", forger->name,
          theirs.address, theirs.data);
    check(sends(victim, &theirs, fired), "sent by %s it fires again", victim->name);
    check(arch_irq_message(forger->edu->irq, pci_source_rid(forger->edu->pci), &own.address,
                           &own.data) &&
              sends(forger, &own, &forger->edu->interrupts),
          "%s is not dumb: its own message arrives", forger->name);
}

static bool own_message(const struct edu *edu)
{
    struct letter letter;
    return !edu->has_irq ||
           (arch_irq_message(edu->irq, pci_source_rid(edu->pci), &letter.address, &letter.data) &&
            pci_set_message(edu->pci, letter.address, letter.data));
}

static void run_senders(struct lab *lab)
{
    struct stage victim, forger;
    struct receiver receiver = {0};
    unsigned irq;
    if (remap_wanted() || !arch_messages_have_senders()) {
        skip("%s", remap_wanted() ? "messages are remapped: other scenarios are about that"
                                  : "this machine's interrupt controller does not know senders");
        return;
    }
    if (lab->wide == NULL || !lab->wide->has_irq) {
        skip("the machine lacks a device with an interrupt");
        return;
    }
    if (!stage_set(lab, &victim, lab->plain, SLUICE_DOMAIN_DMA) ||
        !stage_set(lab, &forger, lab->wide, SLUICE_DOMAIN_DMA) ||
        !check(arch_irq_alloc(count, &receiver, &irq), "a vector is free"))
        return;
    forge(&victim, &forger, irq, &receiver.fired);
    check(own_message(victim.edu) && own_message(forger.edu), "both get their own messages back");
    arch_irq_free(irq);
}

const struct scenario scenarios_level[] = {
    {"senders", "A message counts as its sender's own, whoever's it was", run_senders},
    {"level", "Protection levels: those that can be had, and what the others lack", run_level},
    {NULL, NULL, NULL},
};
