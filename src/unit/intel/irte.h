// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping entries, and the messages that name them [VT-d 5.1.2.2, 5.1.5.1, 9.10, 9.11].
 * Pure functions; used by interrupt.c.
 *
 * Who may use an entry stands in its high word, where it goes in its low word with the present bit.
 * The driver writes the high word while the entry is absent, and changes only the low one
 * afterwards: one store, so there is no moment at which the unit sees half of a change.
 */
#ifndef SLUICE_UNIT_INTEL_IRTE_H
#define SLUICE_UNIT_INTEL_IRTE_H

#include "unit/intel/registers.h"
#include "unit/unit.h"

/** IRTE_HIGH.SVT [VT-d 9.10]. */
enum vtd_source_check {
    VTD_SVT_NONE = 0, /**< anybody: never used */
    VTD_SVT_ID = 1,   /**< SID, with the bits that SQ leaves */
    VTD_SVT_BUS = 2,  /**< buses SID[15:8] to SID[7:0] */
};

/** IRTE_HIGH.SQ [VT-d 9.10]. */
enum vtd_source_bits {
    VTD_SQ_ALL = 0,
    VTD_SQ_NO_FUNCTION = 3, /**< the function number is not compared */
};

/** IRTE_LOW.DLM [VT-d 9.10]. */
enum vtd_delivery {
    VTD_DLM_FIXED = 0,
    VTD_DLM_LOWEST = 1,
};

/** Who may use the block's entries: the high word, but for a posted entry's address. */
static inline uint64_t vtd_irte_source(const struct interrupt_block *block)
{
    /* Timers send under function numbers that firmware does not tell of. */
    enum vtd_source_bits bits =
        block->kind == SLUICE_INTERRUPT_HPET ? VTD_SQ_NO_FUNCTION : VTD_SQ_ALL;

    if (block->by_bus)
        return VTD_PREP(IRTE_HIGH_SVT, VTD_SVT_BUS) |
               VTD_PREP(IRTE_HIGH_SID, (unsigned)block->first_bus << 8 | block->last_bus);
    return VTD_PREP(IRTE_HIGH_SVT, VTD_SVT_ID) | VTD_PREP(IRTE_HIGH_SQ, bits) |
           VTD_PREP(IRTE_HIGH_SID, block->rid);
}

/** A remapped entry's low word, present [VT-d 9.10]. */
static inline uint64_t vtd_irte_remapped(const struct sluice_interrupt_route *route, bool x2apic)
{
    bool lowest = route->delivery == SLUICE_INTERRUPT_LOWEST_PRIORITY;
    /* An xAPIC ID stands in bits 15:8 of the field. */
    uint32_t destination = x2apic ? route->destination : (route->destination & 0xffu) << 8;

    return VTD_MASK(IRTE_LOW_P) | VTD_PREP(IRTE_LOW_DM, route->logical) |
           VTD_PREP(IRTE_LOW_RH, lowest) | VTD_PREP(IRTE_LOW_TM, route->level) |
           VTD_PREP(IRTE_LOW_DLM, lowest ? VTD_DLM_LOWEST : VTD_DLM_FIXED) |
           VTD_PREP(IRTE_LOW_V, route->vector) | VTD_PREP(IRTE_LOW_DST, destination);
}

struct vtd_irte {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct vtd_irte) == 16, "interrupt entries are 128 bits [VT-d 9.10]");

/**
 * A posted entry: the message sets bit `vector` in the descriptor at `descriptor` (64-byte aligned)
 * [VT-d 9.11]. `source` is vtd_irte_source().
 */
static inline struct vtd_irte vtd_irte_posted(uint8_t vector, bool urgent, sluice_phys_t descriptor,
                                              uint64_t source)
{
    return (struct vtd_irte){
        .low = VTD_MASK(IRTE_LOW_P) | VTD_MASK(IRTE_LOW_IM) | VTD_PREP(IRTE_LOW_URG, urgent) |
               VTD_PREP(IRTE_LOW_V, vector) | VTD_PREP(IRTE_LOW_PDAL, descriptor >> 6),
        .high = source | VTD_PREP(IRTE_HIGH_PDAH, descriptor >> 32),
    };
}

/** The address that names entry `index`; with `subhandle` the data is added to it [VT-d 5.1.2.2].
 */
static inline uint64_t vtd_message_address(uint32_t index, bool subhandle)
{
    return UINT64_C(0xfee00000) | (uint64_t)(index & 0x7fffu) << 5 | 1u << 4 |
           (uint64_t)subhandle << 3 | (uint64_t)(index >> 15 & 1u) << 2;
}

/** A pin's redirection entry that names entry `index` [VT-d 5.1.5.1]. */
static inline uint64_t vtd_ioapic_entry(uint32_t index, const struct sluice_interrupt_route *route)
{
    return (uint64_t)(index & 0x7fffu) << 49 | UINT64_C(1) << 48 | (uint64_t)route->level << 15 |
           (uint64_t)route->active_low << 13 | (uint64_t)(index >> 15 & 1u) << 11 | route->vector;
}

#endif
