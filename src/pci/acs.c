// SPDX-License-Identifier: MIT
/*
 * Access control services: whether a port sends every request up to the root complex, where the
 * IOMMU is, or lets devices talk past it [PCIe 6.12, 7.7.8]. And the switch of a device's own
 * translation cache [PCIe 10.5.1].
 *
 * Called by src/group when it looks at the topology, and by src/domain for ATS.
 */
#include "pci/pci.h"

#define ACS_CAPABILITY      4u
#define ACS_CONTROL         6u
#define ACS_WIDE_CAPABILITY 4u
#define ACS_WIDE_CONTROL    8u

#define ATS_CONTROL 6u
#define ATS_ENABLE  0x8000u

/** What keeps requests from going to a neighbour, and who they come from true. */
#define ACS_ISOLATES                                                                               \
    (SLUICE_ACS_SOURCE_VALIDATION | SLUICE_ACS_REQUEST_REDIRECT | SLUICE_ACS_COMPLETION_REDIRECT | \
     SLUICE_ACS_UPSTREAM_FORWARDING)

static uint16_t control_at(const struct pci_acs *acs)
{
    return (uint16_t)(acs->at + (acs->wide ? ACS_WIDE_CONTROL : ACS_CONTROL));
}

static uint32_t read_register(struct sluice *sluice, uint16_t segment, uint16_t rid,
                              const struct pci_acs *acs, uint16_t at)
{
    uint32_t value = pci_read(sluice, segment, rid, at, acs->wide ? 4 : 2);

    /* All ones is no answer: nothing is known to be on. */
    return value == UINT32_MAX || (!acs->wide && value == 0xffffu) ? 0 : value;
}

void pci_acs_read(struct sluice *sluice, uint16_t segment, uint16_t rid, struct pci_acs *out)
{
    *out = (struct pci_acs){.present = false};
    /* Conventional devices have no extended space, and some repeat the first 256 bytes there. */
    if (pci_find_capability(sluice, segment, rid, PCI_CAP_ID_EXPRESS) == 0)
        return;
    out->at = pci_find_extended(sluice, segment, rid, PCI_EXT_ID_ACS);
    if (out->at == 0)
        return;
    out->present = true;
    out->wide = pci_quirk_find(sluice, segment, rid, PCI_QUIRK_WIDE_ACS) != NULL;
    out->capability =
        read_register(sluice, segment, rid, out,
                      (uint16_t)(out->at + (out->wide ? ACS_WIDE_CAPABILITY : ACS_CAPABILITY)));
    out->control = read_register(sluice, segment, rid, out, control_at(out));
}

bool pci_acs_enable(struct sluice *sluice, uint16_t segment, uint16_t rid, bool outside,
                    struct pci_acs *acs)
{
    uint32_t wanted = ACS_ISOLATES & acs->capability;
    uint32_t control;

    if (!acs->present || sluice->ops->pci_write == NULL)
        return true;
    if (outside)
        wanted |= SLUICE_ACS_TRANSLATION_BLOCKING & acs->capability;
    control = (acs->control | wanted) & ~(uint32_t)SLUICE_ACS_DIRECT_TRANSLATED;
    if (control == acs->control)
        return true;
    sluice->ops->pci_write(sluice->config.ctx, segment, rid, control_at(acs), acs->wide ? 4 : 2,
                           control);
    acs->control = read_register(sluice, segment, rid, acs, control_at(acs));
    return (acs->control & wanted) == wanted && (acs->control & SLUICE_ACS_DIRECT_TRANSLATED) == 0;
}

/** Ports: which bits must be there at all, whatever the function says that it has. */
static uint32_t port_must_have(enum pci_express_type type)
{
    /* A switch port has to have all of them; a root port that passes nothing on to other root
     * ports has nothing to redirect [PCIe 6.12.1.1]. */
    return type == PCI_EXPRESS_DOWNSTREAM ? ACS_ISOLATES : SLUICE_ACS_SOURCE_VALIDATION;
}

uint16_t pci_acs_lacks(enum pci_express_type type, const struct pci_acs *acs)
{
    uint32_t must = 0;
    uint32_t lacks;

    switch (type) {
    case PCI_EXPRESS_ROOT_PORT:
    case PCI_EXPRESS_DOWNSTREAM:
        must = port_must_have(type);
        break;
    case PCI_EXPRESS_ENDPOINT:
    case PCI_EXPRESS_LEGACY:
    case PCI_EXPRESS_UPSTREAM:
    case PCI_EXPRESS_INTEGRATED:
        /* A function that does not reach its siblings needs no redirect [PCIe 6.12.1.2]. */
        break;
    default:
        /* Conventional functions, bridges to PCI and event collectors never have ACS. */
        return SLUICE_ACS_NONE;
    }
    if (!acs->present)
        return (uint16_t)(SLUICE_ACS_NONE | must);
    lacks = (must & ~acs->capability) | (ACS_ISOLATES & acs->capability & ~acs->control);
    lacks |= acs->control & SLUICE_ACS_DIRECT_TRANSLATED;
    return (uint16_t)lacks;
}

bool pci_ats_disable(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint16_t at;
    uint32_t control;

    if (pci_find_capability(sluice, segment, rid, PCI_CAP_ID_EXPRESS) == 0)
        return true;
    at = pci_find_extended(sluice, segment, rid, PCI_EXT_ID_ATS);
    if (at == 0)
        return true;
    at = (uint16_t)(at + ATS_CONTROL);
    control = pci_read(sluice, segment, rid, at, 2) & 0xffffu;
    if ((control & ATS_ENABLE) == 0)
        return true;
    if (sluice->ops->pci_write == NULL)
        return false;
    sluice->ops->pci_write(sluice->config.ctx, segment, rid, at, 2, control & ~ATS_ENABLE);
    return (pci_read(sluice, segment, rid, at, 2) & ATS_ENABLE) == 0;
}
