// SPDX-License-Identifier: MIT
/*
 * Known errata, one row each, matched by PCI ID and revision of the host bridge (0000:00:00.0) or
 * of the graphics (0000:00:02.0). Where no document of Intel's says it, the row names who found it.
 */
#include "unit/intel/vtd.h"

#define INTEL         0x8086u
#define HOST_BRIDGE   SLUICE_RID(0, 0, 0)
#define GRAPHICS      SLUICE_RID(0, 2, 0)
#define REG_PCI_ID    0x00u
#define REG_PCI_CLASS 0x08u

struct erratum {
    uint16_t rid;
    uint16_t device;
    uint16_t mask; /**< bits of the device ID that count */
    uint8_t first_revision;
    uint8_t last_revision;
    uint32_t what; /**< set of enum vtd_erratum */
    const char *text;
    const char *source;
};

#define BRIDGE(id, first, last, what, text, source)                                                \
    {                                                                                              \
        HOST_BRIDGE, (id), 0xffff, (first), (last), (what), (text), (source)                       \
    }
#define DISPLAY(id, mask, what, text, source)                                                      \
    {                                                                                              \
        GRAPHICS, (id), (mask), 0, 0xff, (what), (text), (source)                                  \
    }

/* Intel 4 Series and Mobile 4 Series chipsets. */
#define SERIES_4(id)                                                                               \
    BRIDGE(id, 0, 0xff, VTD_ERRATUM_WRITE_BUFFER | VTD_ERRATUM_GRAPHICS,                           \
           "RWBF is not reported though flushes are needed; graphics cannot be translated",        \
           "Linux, quirk_iommu_rwbf and quirk_iommu_igfx")
/* Intel 5500, 5520 and X58 chipsets. */
#define SERIES_55(id, first, last)                                                                 \
    BRIDGE(id, first, last, VTD_ERRATUM_NO_INTERRUPT_REMAPPING,                                    \
           "invalidation of interrupt entries hangs",                                              \
           "Intel 5520 and 5500 Chipset Specification Update (321329), errata 47 and 53; Linux, "  \
           "intel_remapping_check")
/* Intel Core of 2010 and its chipsets. */
#define IRONLAKE(id)                                                                               \
    BRIDGE(id, 0, 0xff, VTD_ERRATUM_GRAPHICS,                                                      \
           "graphics must be idle while its IOTLB is invalidated",                                 \
           "Linux, quirk_calpella_no_shadow_gtt and quirk_iommu_igfx; kernel.org bug 197029")
#define BROADWELL(id)                                                                              \
    DISPLAY(id, 0xffcf, VTD_ERRATUM_GRAPHICS, "graphics cannot be translated",                     \
            "Linux, commit 1f76249cc3be")

static const struct erratum errata[] = {
    SERIES_4(0x2a40),
    SERIES_4(0x2e00),
    SERIES_4(0x2e10),
    SERIES_4(0x2e20),
    SERIES_4(0x2e30),
    SERIES_4(0x2e40),
    SERIES_4(0x2e90),
    DISPLAY(0x29b2, 0xffff, VTD_ERRATUM_GRAPHICS, "Q35 graphics cannot be translated",
            "kernel.org bugs 201185 and 216064"),
    SERIES_55(0x3403, 0, 0x13),
    SERIES_55(0x3405, 0, 0x13),
    SERIES_55(0x3405, 0x22, 0x22),
    SERIES_55(0x3406, 0, 0x13),
    IRONLAKE(0x0040),
    IRONLAKE(0x0044),
    IRONLAKE(0x0062),
    IRONLAKE(0x006a),
    BROADWELL(0x1602),
    BROADWELL(0x1606),
    BROADWELL(0x160a),
    BROADWELL(0x160b),
    BROADWELL(0x160d),
    BROADWELL(0x160e),
};

/* ID and revision of a function; all ones where there is none. */
struct identity {
    uint32_t id;
    uint32_t revision;
};

static struct identity identity_read(struct sluice *sluice, uint16_t rid)
{
    return (struct identity){
        .id = sluice->ops->pci_read(sluice->config.ctx, 0, rid, REG_PCI_ID, 4),
        .revision = sluice->ops->pci_read(sluice->config.ctx, 0, rid, REG_PCI_CLASS, 4) & 0xffu,
    };
}

static bool applies(const struct erratum *erratum, const struct identity *identity)
{
    return (identity->id & 0xffffu) == INTEL &&
           (identity->id >> 16 & erratum->mask) == erratum->device &&
           identity->revision >= erratum->first_revision &&
           identity->revision <= erratum->last_revision;
}

uint32_t vtd_errata_find(struct sluice *sluice, const char *name)
{
    struct identity bridge, graphics;
    uint32_t found = 0;

    if (sluice->ops->pci_read == NULL)
        return 0;
    bridge = identity_read(sluice, HOST_BRIDGE);
    graphics = identity_read(sluice, GRAPHICS);
    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        const struct erratum *erratum = &errata[i];

        if (!applies(erratum, erratum->rid == GRAPHICS ? &graphics : &bridge))
            continue;
        found |= erratum->what;
        log_warning(sluice, "%s: known erratum: %s (%s)", name, erratum->text, erratum->source);
    }
    return found;
}
