// SPDX-License-Identifier: MIT
/*
 * What the library knows of a fault beyond what the hardware said: whose it is, and what was at the
 * address.
 *
 * Called by work.c for subscribers and by lines.c for the log, outside interrupts.
 */
#include "fault/fault.h"

static const struct sluice_device *
sender_of(struct sluice *sluice, const struct sluice_fault *fault, const struct source **out_source)
{
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        for (unsigned i = 0; i < device->source_count; i++) {
            *out_source = device->sources[i];
            if (device->unit->name == fault->unit && device->sources[i]->id == fault->source)
                return device;
        }
    }
    return NULL;
}

/** Where requests like this one go: the device's domain, or its PASID's. */
static struct sluice_domain *domain_of(const struct sluice_device *device,
                                       const struct source *source,
                                       const struct sluice_fault *fault)
{
    if (fault->pasid == SLUICE_NO_PASID)
        return device->domain;
    for (const struct source_pasid *at = source->pasids; at != NULL; at = at->next) {
        if (at->pasid == fault->pasid)
            return at->link != NULL ? at->link->domain : NULL;
    }
    return device->domain;
}

static void say_past(struct sluice *sluice, const struct address_past *past,
                     struct sluice_fault_record *record)
{
    uint64_t now = host_now_ns(sluice);

    record->unmaps_known = past->known;
    if (past->never)
        record->history = SLUICE_ADDRESS_NEVER_MAPPED;
    if (!past->found)
        return;
    record->history = SLUICE_ADDRESS_UNMAPPED;
    record->unmap_unconfirmed = past->unconfirmed;
    if (past->unconfirmed)
        return;
    /* A clock that another CPU read may be ahead of this one's reading. */
    record->unmapped_ago_ns = now > past->until_ns ? now - past->until_ns : 0;
    record->unmapped_slack_ns = past->since_ns != 0 ? past->until_ns - past->since_ns : UINT64_MAX;
}

static void look_up_locked(struct sluice *sluice, struct sluice_domain *domain,
                           struct sluice_fault_record *record)
{
    const struct sluice_fault *fault = &record->fault;
    struct sluice_mapping mapping;
    struct address_past past;

    if (!fault->address_valid || fault->reason == SLUICE_FAULT_INTERRUPT || !domain->has_tables)
        return;
    record->history = SLUICE_ADDRESS_NOT_MAPPED;
    if (fault->address <= domain->pt.last &&
        domain_lookup(domain, fault->address, &mapping) == SLUICE_OK)
        record->history = SLUICE_ADDRESS_MAPPED;
    else if (history_look_locked(domain, fault->address, &past))
        say_past(sluice, &past, record);
}

/** The checking mode knows each mapping by itself: where it has an answer, that is the answer. */
static void ask_checking_mode(struct sluice *sluice, struct sluice_fault_record *record)
{
    struct sluice_dma_misuse misuse;

    if (record->history == SLUICE_ADDRESS_UNKNOWN || record->history == SLUICE_ADDRESS_MAPPED ||
        sluice_dma_explain_fault(sluice, &record->fault, &misuse) != SLUICE_OK ||
        misuse.kind != SLUICE_DMA_USE_AFTER_UNMAP)
        return;
    record->history = SLUICE_ADDRESS_UNMAPPED;
    record->unmap_unconfirmed = false;
    record->unmapped_ago_ns = misuse.age_ns;
    record->unmapped_slack_ns = 0;
}

void fault_describe_locked(struct sluice *sluice, struct sluice_fault_record *record)
{
    const struct source *source;
    const struct sluice_device *device = sender_of(sluice, &record->fault, &source);
    struct sluice_domain *domain;

    if (device == NULL)
        return;
    format_text(record->device, sizeof(record->device), "%s '%s'", device->label, device->name);
    domain = domain_of(device, source, &record->fault);
    if (domain == NULL)
        return;
    format_text(record->domain, sizeof(record->domain), "%s", domain->name);
    look_up_locked(sluice, domain, record);
    ask_checking_mode(sluice, record);
}

void fault_describe(struct sluice *sluice, struct sluice_fault_record *record)
{
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

    if (instance_is_listed(sluice))
        fault_describe_locked(sluice, record);
    sluice_spin_unlock(&sluice->lock, irq);
}
