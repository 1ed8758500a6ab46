// SPDX-License-Identifier: MIT
/*
 * The steps of a self-test that are about interrupts: messages that are not the device's own, held
 * against one that is.
 */
#include "core/doorbell.h"
#include "group/group.h"
#include "selftest/selftest.h"

#define OLDER_ADDRESS     0xfee00000u
#define OLDER_DESTINATION 12u
#define OLDER_LOGICAL     (1u << 2)
#define OLDER_LOWEST      (1u << 8)

static const char no_entry[] = "no interrupt entry could be had";

/** Points an entry at the test's vector, and asks for the message that names it. */
static struct finding aim(struct selftest *test, struct sluice_interrupt *interrupt,
                          struct sluice_msi *out)
{
    if (sluice_interrupt_route(interrupt, 0, &test->config->route) == SLUICE_OK &&
        sluice_interrupt_message(interrupt, 0, out) == SLUICE_OK)
        return FINE;
    return FINDING(INCONCLUSIVE, no_entry);
}

/** An entry of the device's own. */
static struct finding own_entry(struct selftest *test, struct sluice_interrupt **out_interrupt,
                                struct sluice_msi *out)
{
    const struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_MSI, .device = test->device, .count = 1, .name = "self-test"};

    *out_interrupt = NULL;
    if (sluice_interrupt_alloc(test->sluice, &config, out_interrupt) != SLUICE_OK)
        return FINDING(INCONCLUSIVE, no_entry);
    return aim(test, *out_interrupt, out);
}

static struct finding free_entry(struct sluice_interrupt **interrupt)
{
    enum sluice_status status = sluice_interrupt_free(*interrupt);

    *interrupt = NULL;
    return status == SLUICE_OK ? FINE
                               : FINDING(INCONCLUSIVE, "the unit did not confirm that it dropped "
                                                       "an interrupt entry");
}

/* ---- the older format ---- */

/**
 * The message that would raise the vector without remapping: an APIC's [SDM 3 11.11], or a write to
 * the interrupt file itself.
 */
static bool older_message(struct selftest *test, struct sluice_msi *out)
{
    const struct sluice_interrupt_route *route = &test->config->route;

    *out = (struct sluice_msi){.data = route->vector};
    if (test->device->unit->caps.interrupt_files)
        return host_doorbell_page(test->sluice, route->destination, &out->address);
    if (route->destination > 0xff)
        return false;
    out->address = OLDER_ADDRESS | (route->destination << OLDER_DESTINATION) |
                   (route->logical ? OLDER_LOGICAL : 0);
    out->data |= route->delivery == SLUICE_INTERRUPT_LOWEST_PRIORITY ? OLDER_LOWEST : 0;
    return true;
}

static struct finding forge_format(struct selftest *test)
{
    struct sluice_interrupt *interrupt;
    struct sluice_msi own = {0}, older;
    struct finding finding;

    if (!older_message(test, &older))
        return FINDING(NOT_TESTED, "the older format has no such destination");
    finding = own_entry(test, &interrupt, &own);
    if (is_fine(finding)) {
        ALSO(finding, send_message(test, &own, true));
        ALSO(finding, send_message(test, &older, false));
        ALSO(finding, send_message(test, &own, true));
    }
    return ALSO(finding, free_entry(&interrupt));
}

/* ---- another's entry ---- */

/** Whether a requester ID is somebody's. */
static bool is_taken_locked(const struct selftest *test, const struct interrupt_block *own,
                            uint16_t rid)
{
    for (unsigned i = 0; i < own->rid_count; i++) {
        if (own->rids[i] == rid)
            return true;
    }
    list_for_each(node, &test->sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->bus == SLUICE_BUS_PCI && device->segment == own->segment && device->rid == rid)
            return true;
    }
    return false;
}

/** Entries for a requester that is not there: another function in the device's place. */
static enum sluice_status stranger_entry(struct selftest *test, struct sluice_interrupt **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct interrupt_block own = {.unit = test->device->unit};
    sluice_irqstate_t irq = sluice_spin_lock(&test->sluice->lock);
    uint16_t rid = 0;

    interrupt_source_of_device(test->device, &own);
    for (uint16_t i = 7; i > 0; i--) {
        uint16_t candidate = own.rid ^ i;

        if (!is_taken_locked(test, &own, candidate))
            rid = candidate;
    }
    if (test->sluice->state == INSTANCE_STARTED && rid != 0)
        status = interrupt_alloc_stranger_locked(test->device, rid, out);
    sluice_spin_unlock(&test->sluice->lock, irq);
    return status;
}

/** The device has no entry of the test's now: what names one is another's. */
static struct finding forge_stranger(struct selftest *test)
{
    struct sluice_interrupt *stranger = NULL;
    struct sluice_msi theirs = {0};
    struct finding finding;

    if (stranger_entry(test, &stranger) != SLUICE_OK)
        return FINDING(INCONCLUSIVE, no_entry);
    finding = aim(test, stranger, &theirs);
    if (is_fine(finding))
        ALSO(finding, send_message(test, &theirs, false));
    return ALSO(finding, free_entry(&stranger));
}

/** Where entries are pages of a window that is the sender's own: the next one is nobody's. */
static struct finding forge_next(struct selftest *test, const struct sluice_msi *own)
{
    const struct sluice_msi next = {.address = own->address + SLUICE_PAGE_BYTES, .data = own->data};

    return send_message(test, &next, false);
}

static struct finding forge_entry(struct selftest *test)
{
    bool files = test->device->unit->caps.interrupt_files;
    struct sluice_interrupt *interrupt;
    struct sluice_msi own = {0};
    struct finding finding = own_entry(test, &interrupt, &own);
    bool had = is_fine(finding);

    if (had)
        ALSO(finding, send_message(test, &own, true));
    ALSO(finding, free_entry(&interrupt));
    if (!had)
        return finding;
    ALSO(finding, send_message(test, &own, false));
    if (!files)
        ALSO(finding, forge_stranger(test));
    ALSO(finding, own_entry(test, &interrupt, &own));
    if (files)
        ALSO(finding, forge_next(test, &own));
    if (interrupt != NULL)
        ALSO(finding, send_message(test, &own, true));
    return ALSO(finding, free_entry(&interrupt));
}

/* ---- another's message, where the interrupt controller knows senders ---- */

static struct finding forge_sender(struct selftest *test)
{
    const struct sluice_selftest_config *config = test->config;
    struct finding finding = send_message(test, &config->own_message, true);

    ALSO(finding, send_message(test, &config->others_message, false));
    return ALSO(finding, send_message(test, &config->own_message, true));
}

static struct finding step_isolated(struct selftest *test, enum sluice_selftest_step step)
{
    if (step == SLUICE_SELFTEST_INTERRUPT_FORMAT)
        return FINDING(NOT_TESTED, "nothing is remapped: the interrupt controller isolates");
    if (test->config->ops->message == NULL || !test->config->has_messages)
        return FINDING(NOT_TESTED, "the host gave no messages to send");
    return forge_sender(test);
}

/** Whether the level rests on the interrupt controller. */
static bool controller_isolates(struct selftest *test)
{
    sluice_irqstate_t irq = sluice_spin_lock(&test->sluice->lock);
    bool isolates =
        test->sluice->state == INSTANCE_STARTED && messages_isolated(test->sluice, NULL);

    sluice_spin_unlock(&test->sluice->lock, irq);
    return isolates;
}

struct finding step_message(struct selftest *test, enum sluice_selftest_step step)
{
    if (!test->sluice->remaps_interrupts && controller_isolates(test))
        return step_isolated(test, step);
    if (!test->sluice->remaps_interrupts)
        return FINDING(NOT_TESTED, test->device->unit->ops->interrupt_alloc == NULL
                                       ? "the unit does not remap interrupts"
                                       : "the instance was started without interrupt remapping");
    if (test->config->ops->message == NULL)
        return FINDING(NOT_TESTED, "the host gave no way to send a message");
    if (test->device->bus != SLUICE_BUS_PCI)
        return FINDING(NOT_TESTED, "the device is not on PCI, and has no messages of its own");
    return step == SLUICE_SELFTEST_INTERRUPT_FORMAT ? forge_format(test) : forge_entry(test);
}
