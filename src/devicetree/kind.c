// SPDX-License-Identifier: MIT
/*
 * Which IOMMU a node is, by its "compatible" [DT-binding iommu]. Called by open.c and node.c.
 */
#include "tree.h"

static const struct {
    const char *compatible; /**< one "*" stands for anything */
    enum sluice_unit_kind kind;
    bool on_pci;
    bool needs_cells; /**< others are called so too: it is an IOMMU only with "#iommu-cells" */
} kinds[] = {
    {"arm,smmu-v3", SLUICE_UNIT_SMMU_V3, false, false},
    {"arm,smmu-v1", SLUICE_UNIT_SMMU_V2, false, false},
    {"arm,smmu-v2", SLUICE_UNIT_SMMU_V2, false, false},
    {"arm,mmu-400", SLUICE_UNIT_SMMU_V2, false, false},
    {"arm,mmu-401", SLUICE_UNIT_SMMU_V2, false, false},
    {"arm,mmu-500", SLUICE_UNIT_SMMU_V2, false, false},
    {"cavium,smmu-v2", SLUICE_UNIT_SMMU_V2, false, false},
    {"marvell,ap806-smmu-500", SLUICE_UNIT_SMMU_V2, false, false},
    {"nvidia,smmu-500", SLUICE_UNIT_SMMU_V2, false, false},
    {"qcom,smmu-v2", SLUICE_UNIT_SMMU_V2, false, false},
    {"qcom,smmu-500", SLUICE_UNIT_SMMU_V2, false, false},
    {"qcom,*-smmu-500", SLUICE_UNIT_SMMU_V2, false, false},
    {"qcom,*-smmu-v2", SLUICE_UNIT_SMMU_V2, false, false},
    {"riscv,iommu", SLUICE_UNIT_RISCV, false, false},
    {"riscv,pci-iommu", SLUICE_UNIT_RISCV, true, false},
    {"pci1efd,edf1", SLUICE_UNIT_RISCV, true, false},
    {"virtio,pci-iommu", SLUICE_UNIT_VIRTIO, true, false},
    {"pci1af4,1057", SLUICE_UNIT_VIRTIO, true, false},
    {"virtio,mmio", SLUICE_UNIT_VIRTIO, false, true},
};

static size_t length(const char *text)
{
    size_t bytes = 0;

    while (text[bytes] != '\0')
        bytes++;
    return bytes;
}

static bool matches(const char *pattern, const char *text)
{
    size_t rest;

    while (*pattern != '*' && *pattern != '\0' && *pattern == *text) {
        pattern++;
        text++;
    }
    if (*pattern != '*')
        return *pattern == *text;
    rest = length(pattern + 1);
    return length(text) > rest && dt_same(pattern + 1, text + length(text) - rest);
}

/** The most specific word that is known wins: they come first [DT 2.3.1]. */
struct dt_kind dt_kind_of(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_COMPATIBLE);
    const bool cells = dt_has(cursor, DT_IOMMU_CELLS);
    const char *word;

    /* A list of more words than this is looked at no further: the search is for each anew. */
    for (uint32_t i = 0; i < 32 && (word = dt_string(list, i)) != NULL; i++) {
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            if ((cells || !kinds[k].needs_cells) && matches(kinds[k].compatible, word))
                return (struct dt_kind){
                    .unit = true,
                    .known = true,
                    .on_pci = kinds[k].on_pci,
                    .kind = kinds[k].kind,
                };
        }
    }
    return (struct dt_kind){.unit = cells};
}
