// SPDX-License-Identifier: MIT
/*
 * The VT-d model's interrupt remapping [5.1, 9.10, 11.4.10]: the two formats of a message, the
 * table with its cache, who may use an entry, and what becomes of it.
 *
 * An entry stays in the cache until software invalidates it, so a missing invalidation shows as an
 * interrupt at the old place.
 */
#include "models/vtd_internal.h"

/* Entry bits [9.10]. */
#define IR_PRESENT  BIT64(0)
#define IR_QUIET    BIT64(1) /* FPD */
#define IR_POSTED   BIT64(15)
#define CHECK(high) ((unsigned)FIELD64(high, 19, 18))

static bool extended(const struct vtd_model *unit)
{
    return (unit->interrupt_root & BIT64(11)) != 0;
}

/* ---- the table and its cache ---- */

void vtd_interrupt_table_set(struct vtd_model *unit)
{
    uint64_t irta = vtd_get64(unit, R_IRTA);
    uint64_t bytes = (uint64_t)32 << FIELD64(irta, 3, 0);

    if ((irta & BIT64(11)) != 0 && !unit->config.extended_interrupts)
        vtd_violate(unit, "IRTA: x2APIC destinations, which this unit does not have");
    if ((irta & ADDRESS_MASK) >> unit->config.host_bits != 0 ||
        ((irta & ADDRESS_MASK) & (bytes - 1)) != 0)
        vtd_violate(unit, "IRTA: %#llx is not where a table can be", (unsigned long long)irta);
    unit->interrupt_root = irta;
    unit->owes_interrupts = !unit->config.enhanced_sirtp;
    if (unit->config.enhanced_sirtp)
        vtd_interrupt_drop(unit, 0, INTERRUPTS_MAX);
}

void vtd_interrupt_check_enable(struct vtd_model *unit)
{
    if ((vtd_get32(unit, R_GSTS) & G_SIRTP) == 0)
        vtd_violate(unit, "interrupt remapping enabled without a table");
    if (unit->owes_interrupts)
        vtd_violate(unit, "interrupt remapping enabled before the table's invalidation");
}

void vtd_interrupt_drop(struct vtd_model *unit, uint32_t first, uint32_t count)
{
    /* None left is none to look for: the count is 0 without remapping. */
    for (uint32_t i = first; unit->interrupt_count > 0 && i < first + count && i < INTERRUPTS_MAX;
         i++) {
        unit->interrupt_count -= unit->interrupts[i].used;
        unit->interrupts[i].used = false;
    }
}

bool vtd_interrupt_invalidate(struct vtd_model *unit, uint64_t descriptor)
{
    unsigned mask = (unsigned)FIELD64(descriptor, 31, 27);
    uint32_t index = (uint32_t)FIELD64(descriptor, 47, 32);
    bool global = (descriptor & BIT64(4)) == 0;

    if (!unit->config.remaps_interrupts || (!global && mask > unit->config.handle_mask))
        return false;
    model_host_flush_writes(unit->host);
    unit->stats.interrupt_entry++;
    if (global) {
        unit->owes_interrupts = false;
        index = 0;
        mask = 16;
    } else if ((index & ((1u << mask) - 1)) != 0) {
        vtd_violate(unit, "interrupt entry %u is not aligned to mask %u", index, mask);
    }
    if (!unit->inject.lost_invalidations)
        vtd_interrupt_drop(unit, index & ~((1u << mask) - 1), 1u << mask);
    return true;
}

static uint8_t check_entry(const struct vtd_model *unit, uint64_t low, uint64_t high)
{
    uint64_t reserved_low = MASK64(14, 12) | MASK64(31, 24);
    uint64_t reserved_high = MASK64(63, 20);

    if ((low & IR_PRESENT) == 0)
        return VTD_REASON_IR_ABSENT;
    if ((low & IR_POSTED) != 0) {
        if (!unit->config.posted_interrupts)
            return VTD_REASON_IR_RESERVED;
        reserved_low = MASK64(7, 2) | MASK64(13, 12) | MASK64(37, 24);
        reserved_high = MASK64(31, 20);
    } else if (!extended(unit)) {
        reserved_low |= MASK64(39, 32) | MASK64(63, 48); /* an xAPIC ID has 8 bits */
    }
    if ((low & reserved_low) != 0 || (high & reserved_high) != 0 || CHECK(high) == 3)
        return VTD_REASON_IR_RESERVED;
    return VTD_REASON_NONE;
}

/* The entry, from the cache if it is there. */
static struct cached_interrupt get_entry(struct vtd_model *unit, uint32_t index)
{
    struct cached_interrupt entry = {.used = true};
    sluice_phys_t at = (unit->interrupt_root & ADDRESS_MASK) + (uint64_t)16 * index;
    uint64_t words[2];

    if (unit->interrupts[index].used)
        return unit->interrupts[index];
    if ((unit->inject.bad_fetch != 0 &&
         (at & ADDRESS_MASK) == (unit->inject.bad_fetch & ADDRESS_MASK)) ||
        !model_host_fetch128(unit->host, at, vtd_path(unit), "vtd: interrupt table", words)) {
        entry.reason = VTD_REASON_IR_ACCESS;
        return entry;
    }
    entry.low = words[0];
    entry.high = words[1];
    entry.reason = check_entry(unit, words[0], words[1]);
    if (entry.reason == VTD_REASON_NONE && CHECK(entry.high) == 0)
        vtd_violate(unit, "interrupt entry %u may be used by anybody", index);
    if (entry.reason == VTD_REASON_NONE || unit->config.caching_mode) {
        unit->interrupts[index] = entry;
        unit->interrupt_count++;
    }
    return entry;
}

/* [9.10, SVT and SQ] */
static bool source_allowed(uint64_t high, uint16_t rid)
{
    static const uint16_t compared[] = {0xffff, 0xfffb, 0xfff9, 0xfff8};
    uint16_t sid = (uint16_t)high;
    unsigned bus = rid >> 8;

    switch (CHECK(high)) {
    case 1:
        return ((sid ^ rid) & compared[FIELD64(high, 17, 16)]) == 0;
    case 2:
        return bus >= (unsigned)(sid >> 8) && bus <= (sid & 0xffu);
    default:
        return true;
    }
}

/* ---- messages ---- */

static void deliver(struct vtd_model *unit, const struct vtd_model_interrupt *interrupt)
{
    uint64_t address = MODEL_WINDOW_FIRST | (uint64_t)(interrupt->destination & 0xffu) << 12 |
                       (uint64_t)(interrupt->destination >> 8) << 40 |
                       (uint64_t)interrupt->hint << 3 | (uint64_t)interrupt->logical << 2;

    if (unit->interrupt_sink != NULL)
        unit->interrupt_sink(unit->interrupt_sink_arg, interrupt);
    else
        model_host_post_msi(unit->host, address,
                            interrupt->vector | (uint32_t)interrupt->delivery << 8 |
                                (uint32_t)interrupt->level << 15);
}

/* A message of the older format, as it is [SDM 3 10.11]. */
static void pass(struct vtd_model *unit, uint16_t rid, uint64_t address, uint32_t data)
{
    const struct vtd_model_interrupt interrupt = {
        .rid = rid,
        .destination = (uint32_t)FIELD64(address, 19, 12),
        .vector = (uint8_t)data,
        .delivery = (uint8_t)FIELD64(data, 10, 8),
        .logical = (address & BIT64(2)) != 0,
        .hint = (address & BIT64(3)) != 0,
        .level = (data & BIT64(15)) != 0,
    };

    if (unit->interrupt_sink != NULL)
        unit->interrupt_sink(unit->interrupt_sink_arg, &interrupt);
    else
        model_host_post_msi(unit->host, address, data);
}

static uint8_t refuse(struct vtd_model *unit, uint16_t rid, uint32_t index, uint8_t reason,
                      bool quiet)
{
    if (!quiet)
        vtd_fault_record(unit,
                         &(struct vtd_fault_detail){.rid = rid,
                                                    .address = (uint64_t)(index & 0xffffu) << 48,
                                                    .write = true,
                                                    .reason = reason});
    return reason;
}

static uint8_t remap(struct vtd_model *unit, uint16_t rid, uint64_t address, uint32_t data)
{
    bool subhandle = (address & BIT64(3)) != 0;
    uint32_t index = (uint32_t)(FIELD64(address, 19, 5) | FIELD64(address, 2, 2) << 15);
    struct cached_interrupt entry;

    if (subhandle && data >> 16 != 0)
        return refuse(unit, rid, index, VTD_REASON_IR_REQUEST_RESERVED, false);
    index += subhandle ? data & 0xffffu : 0;
    if (index >= (uint32_t)2 << FIELD64(unit->interrupt_root, 3, 0))
        return refuse(unit, rid, index, VTD_REASON_IR_INDEX, false);
    entry = get_entry(unit, index);
    if (entry.reason == VTD_REASON_NONE && !source_allowed(entry.high, rid))
        entry.reason = VTD_REASON_IR_SOURCE;
    if (entry.reason != VTD_REASON_NONE)
        return refuse(unit, rid, index, entry.reason, (entry.low & IR_QUIET) != 0);
    if ((entry.low & IR_POSTED) != 0)
        return VTD_REASON_NONE; /* into a descriptor: not modelled */
    deliver(unit, &(struct vtd_model_interrupt){
                      .rid = rid,
                      .remapped = true,
                      .destination = extended(unit) ? (uint32_t)(entry.low >> 32)
                                                    : (uint32_t)FIELD64(entry.low, 47, 40),
                      .vector = (uint8_t)(entry.low >> 16),
                      .delivery = (uint8_t)FIELD64(entry.low, 7, 5),
                      .logical = (entry.low & BIT64(2)) != 0,
                      .hint = (entry.low & BIT64(3)) != 0,
                      .level = (entry.low & BIT64(4)) != 0,
                  });
    return VTD_REASON_NONE;
}

uint8_t vtd_model_message(struct vtd_model *unit, uint16_t rid, uint64_t address, uint32_t data)
{
    uint8_t reason = VTD_REASON_NONE;
    uint32_t status;

    vtd_model_lock(unit);
    status = vtd_get32(unit, R_GSTS);
    if ((status & G_IRE) == 0)
        pass(unit, rid, address, data);
    else if ((address & BIT64(4)) != 0)
        reason = remap(unit, rid, address, data);
    else if ((status & G_CFI) != 0 && !extended(unit))
        pass(unit, rid, address, data);
    else
        reason = refuse(unit, rid, 0, VTD_REASON_IR_COMPATIBILITY, false);
    vtd_model_unlock(unit);
    return reason;
}

uint8_t vtd_model_ioapic(struct vtd_model *unit, uint16_t rid, uint64_t entry)
{
    uint32_t index = (uint32_t)(FIELD64(entry, 63, 49) | FIELD64(entry, 11, 11) << 15);
    uint64_t remappable = MODEL_WINDOW_FIRST | (uint64_t)(index & 0x7fffu) << 5 | BIT64(4) |
                          (uint64_t)(index >> 15) << 2;
    uint64_t older =
        MODEL_WINDOW_FIRST | FIELD64(entry, 63, 56) << 12 | FIELD64(entry, 11, 11) << 2;

    if ((entry & BIT64(16)) != 0)
        return VTD_REASON_NONE;
    if ((entry & BIT64(48)) != 0 && (entry & (MASK64(10, 8) | MASK64(47, 17))) != 0)
        vtd_violate(unit, "IOAPIC: reserved bits in a remappable entry %#llx",
                    (unsigned long long)entry);
    return vtd_model_message(unit, rid, (entry & BIT64(48)) != 0 ? remappable : older,
                             (uint32_t)(entry & 0x87ffu));
}

void vtd_model_set_interrupt_sink(struct vtd_model *unit, vtd_model_interrupt_sink *sink, void *arg)
{
    vtd_model_lock(unit);
    unit->interrupt_sink = sink;
    unit->interrupt_sink_arg = arg;
    vtd_model_unlock(unit);
}

unsigned vtd_model_interrupt_entries(struct vtd_model *unit)
{
    unsigned count;

    vtd_model_lock(unit);
    count = unit->interrupt_count;
    vtd_model_unlock(unit);
    return count;
}

bool vtd_model_remapping(struct vtd_model *unit)
{
    bool on;

    vtd_model_lock(unit);
    on = (vtd_get32(unit, R_GSTS) & G_IRE) != 0;
    vtd_model_unlock(unit);
    return on;
}
