// SPDX-License-Identifier: MIT
/*
 * Doorbells: where devices' interrupt messages go. A unit that translates such a write like any
 * other stops it, unless the domain maps the address it is sent to. That is done one to one, so
 * that a message is the same whatever domain its device is in, and when it is in none or the
 * library has stopped.
 *
 * Only what a caller attaches gets them: a device in no domain is blocked, its messages too, also
 * where firmware's reserved memory keeps it a domain.
 */
#include "core/doorbell.h"
#include "domain/domain.h"

bool doorbell_at(const struct unit *unit, unsigned index, struct platform_reserved *out)
{
    *out = (struct platform_reserved){.prot = SLUICE_PROT_WRITE | SLUICE_PROT_MMIO};
    return unit->caps.translates_messages &&
           host_doorbell(unit->sluice, index, &out->first, &out->last);
}

static enum sluice_status map_doorbell(struct sluice_domain *domain,
                                       struct platform_reserved *doorbell)
{
    enum sluice_status status = region_add_locked(domain, doorbell, SLUICE_RESERVED_INTERRUPT);

    /* Formats that cannot map for writing alone get reading too: registers of the machine's
     * interrupt controller that a message's sender may write to anyway. */
    if (status == SLUICE_ERR_UNSUPPORTED) {
        doorbell->prot |= SLUICE_PROT_READ;
        status = region_add_locked(domain, doorbell, SLUICE_RESERVED_INTERRUPT);
    }
    return status;
}

enum sluice_status doorbells_map_locked(struct sluice_domain *domain, const struct unit *unit)
{
    struct platform_reserved doorbell;

    for (unsigned i = 0; doorbell_at(unit, i, &doorbell); i++) {
        enum sluice_status status = map_doorbell(domain, &doorbell);

        if (status == SLUICE_ERR_RANGE) {
            log_warning(domain->sluice,
                        "domain '%s': its addresses do not reach the doorbell at %#llx: messages "
                        "of its devices are stopped",
                        domain->name, (unsigned long long)doorbell.first);
            continue;
        }
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}
