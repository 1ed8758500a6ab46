// SPDX-License-Identifier: MIT
#include "interrupt_floor.h"

#include <sluice/cpu.h>

int floor_change(struct floor_unit *unit, uint64_t low, uint64_t high)
{
    uint64_t at = unit->tail;

    unit->entry[0] = low;
    unit->entry[1] = high;
    *unit->status = 0;
    unit->ring[at][0] = UINT64_C(0x5000000000000018);
    unit->ring[at][1] = 0;
    at = (at + 1) % 256;
    unit->ring[at][0] = UINT64_C(0x1000000000000001) | (uint64_t)(uintptr_t)unit->status;
    unit->ring[at][1] = 1;
    unit->tail = (at + 1) % 256;
    sluice_device_fence();
    unit->doorbell(unit->arg, unit->tail);
    return *unit->status == 1;
}
