// SPDX-License-Identifier: MIT
/*
 * Known errata, one row each, matched by IIDR [SMMU 6.3.7].
 */
#include "unit/smmu3/smmu3.h"

#define ARM     0x43bu
#define MMU_700 0x487u

struct erratum {
    uint16_t implementer;
    uint16_t product;
    enum smmu3_erratum what;
    const char *text;
    const char *source;
};

static const struct erratum errata[] = {
    {ARM, MMU_700, SMMU3_ERRATUM_SYNC_OFTEN,
     "many commands without a CMD_SYNC may hang: one is put in between",
     "Arm MMU-700 Software Developer Errata Notice, 2812531"},
};

uint32_t smmu3_errata_find(struct smmu3 *smmu3)
{
    uint32_t iidr = smmu3->capability.iidr;
    uint32_t found = 0;

    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        const struct erratum *erratum = &errata[i];

        if (SMMU3_GET(IIDR_IMPLEMENTER, iidr) != erratum->implementer ||
            SMMU3_GET(IIDR_PRODUCT, iidr) != erratum->product)
            continue;
        found |= (uint32_t)erratum->what;
        log_warning(smmu3->unit.sluice, "%s: known erratum: %s (%s)", smmu3->unit.name,
                    erratum->text, erratum->source);
    }
    return found;
}
