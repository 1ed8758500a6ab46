// SPDX-License-Identifier: MIT
/*
 * How this machine resets a function that has no reset of its own: sluice_host_ops.device_reset.
 */
#ifndef MACHINE_RESET_H
#define MACHINE_RESET_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Behind a bridge by the reset of its secondary bus [PCI-to-PCI bridge 1.2, 3.2.5.17], which also
 * resets whatever else is there. An edu on a root bus is brought to where such a reset would leave
 * it: QEMU's has nothing but configuration registers that a reset changes, and a transfer that runs
 * out. False for anything else.
 */
bool machine_device_reset(void *ctx, uint16_t segment, uint16_t rid);

/** Resets of the secondary bus and of an edu by hand so far. */
unsigned machine_resets(void);

#endif
