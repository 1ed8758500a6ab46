// SPDX-License-Identifier: MIT
/*
 * The unit's own interrupt: an MSI of its PCI function [AMD 3.2; PCI 6.8], raised when an event or
 * a page request was logged. With one message enabled, both are that one.
 */
#include "unit/amd/amdvi.h"

#include "pci/pci.h"

#define CAP_ID_MSI        0x05u
#define MSI_CONTROL       2u
#define MSI_ADDRESS       4u
#define MSI_ADDRESS_UPPER 8u
#define MSI_ENABLE        0x0001u
#define MSI_MULTIPLE      0x0070u /**< how many messages: one */
#define MSI_64            0x0080u

static void own_write(struct amdvi *amdvi, uint32_t offset, unsigned width, uint32_t value)
{
    struct sluice *sluice = amdvi->unit.sluice;

    sluice->ops->pci_write(sluice->config.ctx, amdvi->unit.desc->segment,
                           amdvi->unit.desc->ivhd.rid, (uint16_t)offset, width, value);
}

/* Offset of the MSI capability, 0 when there is none or it cannot be written. */
static uint16_t find_msi(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;

    if (sluice->ops->pci_write == NULL)
        return 0;
    return pci_find_capability(sluice, amdvi->unit.desc->segment, amdvi->unit.desc->ivhd.rid,
                               CAP_ID_MSI);
}

static uint32_t msi_control(struct amdvi *amdvi, uint16_t at)
{
    return pci_read(amdvi->unit.sluice, amdvi->unit.desc->segment, amdvi->unit.desc->ivhd.rid,
                    (uint16_t)(at + MSI_CONTROL), 2) &
           0xffffu;
}

static bool program(struct amdvi *amdvi, uint16_t at)
{
    uint32_t control = msi_control(amdvi, at) & ~(MSI_ENABLE | MSI_MULTIPLE);
    bool wide = (control & MSI_64) != 0;

    if (!wide && amdvi->msi.address >> 32 != 0)
        return false;
    own_write(amdvi, at + MSI_CONTROL, 2, control);
    own_write(amdvi, at + MSI_ADDRESS, 4, (uint32_t)amdvi->msi.address);
    if (wide)
        own_write(amdvi, at + MSI_ADDRESS_UPPER, 4, (uint32_t)(amdvi->msi.address >> 32));
    own_write(amdvi, at + (wide ? 12u : 8u), 2, amdvi->msi.data);
    own_write(amdvi, at + MSI_CONTROL, 2, control | MSI_ENABLE);
    return true;
}

static bool install(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;
    const struct sluice_event_handler handler = {.handler = amdvi_log_event, .arg = amdvi};

    if (!amdvi->has_event)
        amdvi->has_event = sluice->ops->event_install != NULL &&
                           sluice->ops->event_install(sluice->config.ctx, amdvi->unit.name,
                                                      &handler, &amdvi->msi, &amdvi->event);
    return amdvi->has_event;
}

void amdvi_event_on(struct amdvi *amdvi)
{
    uint16_t at = find_msi(amdvi);

    if (at == 0 || !install(amdvi) || !program(amdvi, at)) {
        log_info(amdvi->unit.sluice, "%s: no event interrupt: faults are seen by polling only",
                 amdvi->unit.name);
        return;
    }
    amdvi_control(amdvi, 0,
                  AMDVI_MASK(CONTROL_EVTINT) |
                      (amdvi->requests.on ? AMDVI_MASK(CONTROL_PPRINT) : 0));
}

void amdvi_event_off(struct amdvi *amdvi, bool remove)
{
    struct sluice *sluice = amdvi->unit.sluice;
    uint16_t at;

    amdvi_control(amdvi, AMDVI_MASK(CONTROL_EVTINT) | AMDVI_MASK(CONTROL_PPRINT), 0);
    if (!remove || !amdvi->has_event)
        return;
    at = find_msi(amdvi);
    if (at != 0)
        own_write(amdvi, at + MSI_CONTROL, 2, msi_control(amdvi, at) & ~MSI_ENABLE);
    if (sluice->ops->event_remove != NULL)
        sluice->ops->event_remove(sluice->config.ctx, amdvi->event);
    amdvi->has_event = false;
}
