// SPDX-License-Identifier: MIT
/*
 * The words every other header uses: addresses, requester IDs, permissions.
 */
#ifndef SLUICE_TYPES_H
#define SLUICE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An address as a device puts it on the bus; translated by a unit before it reaches memory. */
typedef uint64_t sluice_iova_t;

/** An address as the memory controller sees it (for a virtual machine's domain: the host's). */
typedef uint64_t sluice_phys_t;

/** Results that must be looked at. */
#define SLUICE_MUST_CHECK __attribute__((warn_unused_result))

/** Marks what a shared libsluice exports. */
#define SLUICE_API __attribute__((visibility("default")))

/** Bytes in the smallest page every unit can map. */
#define SLUICE_PAGE_BYTES ((uint64_t)4096)
#define SLUICE_PAGE_LG2   12u

/** A part of a buffer in memory. */
struct sluice_dma_segment {
    sluice_phys_t phys;
    uint64_t bytes;
};

/** "No PASID": a transaction without a process address space ID, which is a value like any other.
 */
#define SLUICE_NO_PASID UINT32_MAX

/*
 * PCI requester IDs: bus in bits 15:8, device in 7:3, function in 2:0 [PCIe 2.2.6.2].
 * Printed with the segment as dddd:bb:dd.f.
 */
#define SLUICE_RID(bus, device, function)                                                          \
    ((uint16_t)((((unsigned)(bus)&0xffu) << 8) | (((unsigned)(device)&0x1fu) << 3) |               \
                ((unsigned)(function)&0x7u)))
#define SLUICE_RID_BUS(rid)      ((uint8_t)((rid) >> 8))
#define SLUICE_RID_DEVICE(rid)   ((uint8_t)(((rid) >> 3) & 0x1fu))
#define SLUICE_RID_FUNCTION(rid) ((uint8_t)((rid)&0x7u))

/** What a mapping allows and how; a set. A mapping with neither read nor write is refused. */
enum sluice_prot {
    SLUICE_PROT_READ = 1u << 0,  /**< the device may read memory */
    SLUICE_PROT_WRITE = 1u << 1, /**< the device may write memory */
    SLUICE_PROT_EXEC = 1u << 2,  /**< the device may fetch instructions, where the format has it */
    SLUICE_PROT_SNOOP = 1u << 3, /**< force snooping of CPU caches, where the unit can */
    SLUICE_PROT_MMIO = 1u << 4,  /**< the target is device memory, not RAM */
};

#endif
