// SPDX-License-Identifier: MIT
/*
 * The rows of registers.h, for reports and messages.
 */
#include "unit/smmu3/registers.h"

const struct unit_field smmu3_fields[] = {
#define F(where, name, high, low, text) {#where, #name, (high), (low), (text)},
    SMMU3_FIELDS(F)
#undef F
};
const size_t smmu3_field_count = sizeof(smmu3_fields) / sizeof(smmu3_fields[0]);

const struct unit_register smmu3_registers[] = {
#define R(name, offset, width, section, text) {#name, (offset), (width), (section), (text)},
    SMMU3_REGISTERS(R)
#undef R
};
const size_t smmu3_register_count = sizeof(smmu3_registers) / sizeof(smmu3_registers[0]);
