// SPDX-License-Identifier: MIT
/*
 * For machines whose IOMMU takes no guest's tables, or on which none are built.
 */
#include "arch.h"

bool arch_first_stage_make(uint8_t *memory, uint64_t guest_address, struct sluice_nested_info *out)
{
    (void)memory;
    (void)guest_address;
    (void)out;
    return false;
}

void arch_first_stage_map(uint8_t *memory, uint64_t guest_address, uint64_t device_address,
                          uint64_t to)
{
    (void)memory;
    (void)guest_address;
    (void)device_address;
    (void)to;
}
