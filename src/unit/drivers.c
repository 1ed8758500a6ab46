// SPDX-License-Identifier: MIT
/*
 * The drivers of this build: the one place that names them. Which are in is decided by meson
 * options, which define SLUICE_UNIT_*.
 */
#include "unit/unit.h"

#ifdef SLUICE_UNIT_AMD
extern const struct unit_ops amdvi_unit_ops;
#endif
#ifdef SLUICE_UNIT_INTEL
extern const struct unit_ops vtd_unit_ops;
#endif
#ifdef SLUICE_UNIT_RISCV_IOMMU
extern const struct unit_ops riommu_unit_ops;
#endif
#ifdef SLUICE_UNIT_SMMU3
extern const struct unit_ops smmu3_unit_ops;
#endif
#ifdef SLUICE_UNIT_VIRTIO_IOMMU
extern const struct unit_ops viommu_unit_ops;
#endif

const struct unit_ops *const unit_drivers[] = {
#ifdef SLUICE_UNIT_AMD
    &amdvi_unit_ops,
#endif
#ifdef SLUICE_UNIT_INTEL
    &vtd_unit_ops,
#endif
#ifdef SLUICE_UNIT_RISCV_IOMMU
    &riommu_unit_ops,
#endif
#ifdef SLUICE_UNIT_SMMU3
    &smmu3_unit_ops,
#endif
#ifdef SLUICE_UNIT_VIRTIO_IOMMU
    &viommu_unit_ops,
#endif
    NULL,
};
