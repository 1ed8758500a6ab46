// SPDX-License-Identifier: MIT
/*
 * Interrupt table entries, and the messages that name them [AMD 2.2.2.1, 2.2.5]: pure functions.
 *
 * A message's data is the number of an entry in its sender's own table, so entries do not say who
 * may use them: the table does. There are two formats, and CONTROL.GA says for a whole unit which:
 * 32 bits with destinations of 8 bits, and 128 bits with destinations of 8 or, with CONTROL.XT, 32
 * bits, or with a guest's virtual APIC as destination.
 */
#ifndef SLUICE_UNIT_AMD_IRTE_H
#define SLUICE_UNIT_AMD_IRTE_H

#include "unit/amd/registers.h"
#include "unit/unit.h"

/** DTE2.INTCTL: what becomes of fixed and arbitrated interrupts [AMD 2.2.2.1]. */
enum amdvi_interrupt_control {
    AMDVI_INTCTL_ABORT = 0,
    AMDVI_INTCTL_PASS = 1,
    AMDVI_INTCTL_REMAP = 2,
};

/** IntType of an entry [AMD 2.2.5.2]. */
enum amdvi_delivery {
    AMDVI_DELIVERY_FIXED = 0,
    AMDVI_DELIVERY_ARBITRATED = 1, /**< lowest priority */
};

/** Entries that a table may have: those that a message of fixed type can name, or all 11 bits. */
#define AMDVI_INTERRUPTS_LG2      9u
#define AMDVI_INTERRUPTS_MANY_LG2 11u

struct amdvi_irte {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct amdvi_irte) == 16, "the wide entries are 128 bits [AMD 2.2.5.2]");

static inline enum amdvi_delivery amdvi_delivery_of(const struct sluice_interrupt_route *route)
{
    return route->delivery == SLUICE_INTERRUPT_LOWEST_PRIORITY ? AMDVI_DELIVERY_ARBITRATED
                                                               : AMDVI_DELIVERY_FIXED;
}

/** An entry of 32 bits [AMD 2.2.5.1]; `route` NULL: it refuses, and no event tells of it. */
static inline uint32_t amdvi_irte_narrow(const struct sluice_interrupt_route *route)
{
    if (route == NULL)
        return (uint32_t)AMDVI_MASK(IRTE_SUPIOPF);
    return (uint32_t)(AMDVI_MASK(IRTE_REMAPEN) |
                      AMDVI_PREP(IRTE_INTTYPE, amdvi_delivery_of(route)) |
                      AMDVI_PREP(IRTE_DM, route->logical) |
                      AMDVI_PREP(IRTE_DESTINATION, route->destination) |
                      AMDVI_PREP(IRTE_VECTOR, route->vector));
}

/** The same of 128 bits, GuestMode clear [AMD 2.2.5.2]; destinations are as wide as CONTROL says.
 */
static inline struct amdvi_irte amdvi_irte_wide(const struct sluice_interrupt_route *route)
{
    if (route == NULL)
        return (struct amdvi_irte){.low = AMDVI_MASK(IRTE0_SUPIOPF)};
    return (struct amdvi_irte){
        .low = AMDVI_MASK(IRTE0_REMAPEN) | AMDVI_PREP(IRTE0_INTTYPE, amdvi_delivery_of(route)) |
               AMDVI_PREP(IRTE0_DM, route->logical) |
               AMDVI_PREP(IRTE0_DESTINATION, route->destination),
        .high = AMDVI_PREP(IRTE1_VECTOR, route->vector) |
                AMDVI_PREP(IRTE1_DESTINATION, route->destination >> 24),
    };
}

/** What an entry for a guest says [AMD 2.2.5.2]. */
struct amdvi_guest_interrupt {
    sluice_phys_t apic_page; /**< the virtual APIC's backing page; a multiple of 4096 */
    uint32_t destination;    /**< APIC ID of the CPU that the virtual CPU runs on */
    uint32_t tag;            /**< that the log of the virtual APIC tells it by */
    uint8_t vector;          /**< the guest's */
    bool running;            /**< the virtual CPU runs: the CPU is told by doorbell */
    bool logged;             /**< else the message is written to that log */
};

/** An entry of 128 bits, GuestMode set: the message sets a bit in a virtual APIC [AMD 2.2.5.2]. */
static inline struct amdvi_irte amdvi_irte_guest(const struct amdvi_guest_interrupt *guest)
{
    return (struct amdvi_irte){
        .low = AMDVI_MASK(GUEST_IRTE0_REMAPEN) | AMDVI_MASK(GUEST_IRTE0_GUESTMODE) |
               AMDVI_PREP(GUEST_IRTE0_GALOGINTR, guest->logged) |
               AMDVI_PREP(GUEST_IRTE0_ISRUN, guest->running) |
               AMDVI_PREP(GUEST_IRTE0_DESTINATION, guest->destination) |
               AMDVI_PREP(GUEST_IRTE0_GATAG, guest->tag),
        .high = AMDVI_PREP(GUEST_IRTE1_VECTOR, guest->vector) |
                (guest->apic_page & AMDVI_MASK(GUEST_IRTE1_GAROOT)) |
                AMDVI_PREP(GUEST_IRTE1_DESTINATION, guest->destination >> 24),
    };
}

/** Device entry word 2 that leads to a table of 1 << length_lg2 entries [AMD 2.2.2.1]. */
static inline uint64_t amdvi_dte_interrupts(sluice_phys_t table, unsigned length_lg2)
{
    return AMDVI_MASK(DTE2_IV) | AMDVI_PREP(DTE2_INTTABLEN, length_lg2) |
           (table & AMDVI_MASK(DTE2_INTROOT)) | AMDVI_PREP(DTE2_INTCTL, AMDVI_INTCTL_REMAP);
}

/**
 * Refuses fixed and arbitrated interrupts. IV has to be set for that: without it the unit lets
 * every interrupt through as it is.
 */
static inline uint64_t amdvi_dte_no_interrupts(void)
{
    return AMDVI_MASK(DTE2_IV) | AMDVI_PREP(DTE2_INTCTL, AMDVI_INTCTL_ABORT);
}

/** What an MSI is programmed with: the address says nothing, the data which entry [AMD 2.2.5]. */
static inline struct sluice_msi amdvi_message(uint32_t index)
{
    return (struct sluice_msi){.address = UINT64_C(0xfee00000), .data = index};
}

/**
 * A pin's redirection entry: the entry's number stands where vector and delivery mode do, so it is
 * below 256 for a fixed interrupt.
 */
static inline uint64_t amdvi_ioapic_entry(uint32_t index,
                                          const struct sluice_interrupt_route *route)
{
    return (uint64_t)route->level << 15 | (uint64_t)route->active_low << 13 | (index & 0xffu);
}

#endif
