// SPDX-License-Identifier: MIT
/*
 * The rows of registers.h, for reports and messages.
 */
#include "unit/riscv/registers.h"

const struct unit_field riommu_fields[] = {
#define F(where, name, high, low, text) {#where, #name, (high), (low), (text)},
    RIOMMU_FIELDS(F)
#undef F
};
const size_t riommu_field_count = sizeof(riommu_fields) / sizeof(riommu_fields[0]);

const struct unit_register riommu_registers[] = {
#define R(name, offset, width, section, text) {#name, (offset), (width), (section), (text)},
    RIOMMU_REGISTERS(R)
#undef R
};
const size_t riommu_register_count = sizeof(riommu_registers) / sizeof(riommu_registers[0]);
