// SPDX-License-Identifier: MIT
/*
 * For machines without an IOAPIC: there is no pin to route.
 */
#include "arch.h"
#include "print.h"

bool arch_pin_find(uint8_t *out_id)
{
    *out_id = 0;
    return false;
}

void arch_pin_write(uint64_t entry)
{
    (void)entry;
    machine_die("a pin was written that nobody found");
}

void arch_pin_raise(void)
{
    machine_die("a pin was raised that nobody found");
}

void arch_pin_lower(void)
{
    machine_die("a pin was lowered that nobody found");
}

void arch_pin_end(uint64_t entry)
{
    (void)entry;
    machine_die("a pin was ended that nobody found");
}
