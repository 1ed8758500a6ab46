// SPDX-License-Identifier: MIT
/*
 * The VT-d model's commands: GCMD with GSTS [11.4.4], register-based context and IOTLB
 * invalidation [6.5.1]. A command completes some register reads after it was written, and what it
 * does happens only then, so software that does not wait is found.
 */
#include "models/vtd_internal.h"

static unsigned count_bits(uint32_t value)
{
    unsigned count = 0;

    for (; value != 0; value &= value - 1)
        count++;
    return count;
}

static void owe_nothing_before_enable(struct vtd_model *unit)
{
    if ((vtd_get32(unit, R_GSTS) & G_SRTP) == 0)
        vtd_violate(unit, "translation enabled without a root table");
    if (unit->owes_context_global || unit->owes_iotlb_global)
        vtd_violate(unit, "translation enabled before the global invalidations of a new root");
}

/* What hardware does not have is reserved [11.4.4.1]. */
static void check_command(struct vtd_model *unit, uint32_t value, uint32_t lasting)
{
    uint32_t allowed = G_TE | G_SRTP;
    uint32_t changed = ((value ^ lasting) & G_LASTING) | (value & G_ONE_SHOT);

    if (unit->config.queued)
        allowed |= G_QIE;
    if (unit->config.remaps_interrupts)
        allowed |= G_IRE | G_SIRTP | G_CFI;
    if (unit->config.write_buffer)
        allowed |= G_WBF;
    if ((value & ~allowed) != 0)
        vtd_violate(unit, "GCMD: %#x has bits that this unit does not have", value);
    if (count_bits(changed) > 1)
        vtd_violate(unit, "GCMD: %#x changes several things at once (status %#x)", value, lasting);
    if (unit->command_pending)
        vtd_violate(unit, "GCMD: %#x written while %#x is in progress", value, unit->command);
}

void vtd_command_written(struct vtd_model *unit, uint32_t value)
{
    uint32_t lasting = vtd_get32(unit, R_GSTS) & G_LASTING;

    check_command(unit, value, lasting);
    if ((value & G_TE) != 0 && (lasting & G_TE) == 0)
        owe_nothing_before_enable(unit);
    if ((value & G_IRE) != 0 && (lasting & G_IRE) == 0)
        vtd_interrupt_check_enable(unit);
    if ((value & G_SRTP) != 0) /* the status goes down until it is done [11.4.4.2] */
        vtd_set32(unit, R_GSTS, vtd_get32(unit, R_GSTS) & (~G_SRTP | unit->inject.stuck_gsts));
    if ((value & G_SIRTP) != 0)
        vtd_set32(unit, R_GSTS, vtd_get32(unit, R_GSTS) & (~G_SIRTP | unit->inject.stuck_gsts));
    if ((value & G_WBF) != 0) /* WBFS is set while the flush is in progress */
        vtd_set32(unit, R_GSTS, vtd_get32(unit, R_GSTS) | G_WBF);
    unit->command = value;
    unit->command_pending = true;
    unit->reads_left = unit->config.latency_reads;
    if (unit->reads_left == 0)
        vtd_progress(unit);
}

static void set_root(struct vtd_model *unit)
{
    uint64_t root = vtd_get64(unit, R_RTADDR);
    uint64_t mode = FIELD64(root, 11, 10);

    if (mode != 0 && !(mode == 3 && unit->config.abort_dma) &&
        !(mode == 1 && unit->config.scalable))
        vtd_violate(unit, "RTADDR: translation table mode %u is not there", (unsigned)mode);
    if (mode != FIELD64(unit->root, 11, 10) && (vtd_get32(unit, R_GSTS) & G_TE) != 0 &&
        !unit->config.enhanced_srtp)
        vtd_violate(unit, "RTADDR: table mode changed with translation on, without ESRTPS");
    if ((root & ADDRESS_MASK) >> unit->config.host_bits != 0)
        vtd_violate(unit, "RTADDR: %#llx is beyond the host's address width",
                    (unsigned long long)root);
    unit->root = root;
    if (unit->config.enhanced_srtp) {
        vtd_model_evict(unit);
        return;
    }
    unit->owes_context_global = unit->owes_iotlb_global = true;
}

static void complete_command(struct vtd_model *unit)
{
    uint32_t stuck = unit->inject.stuck_gsts;
    uint32_t before = vtd_get32(unit, R_GSTS);
    uint32_t after = (before & ~G_LASTING) | (unit->command & G_LASTING);
    uint32_t changed;

    if ((unit->command & G_SRTP & ~stuck) != 0) {
        set_root(unit);
        after |= G_SRTP;
    }
    if ((unit->command & G_SIRTP & ~stuck) != 0) {
        vtd_interrupt_table_set(unit);
        after |= G_SIRTP;
    }
    if ((unit->command & G_WBF & ~stuck) != 0)
        model_host_flush_writes(unit->host);
    after = (after & ~G_WBF) | (before & unit->command & stuck & G_WBF);
    after = (after & ~stuck) | (before & stuck);
    changed = before ^ after;
    vtd_set32(unit, R_GSTS, after);
    unit->command_pending = false;
    if ((changed & G_QIE) != 0)
        vtd_queue_enable(unit, (after & G_QIE) != 0);
}

/* ---- register-based invalidation ---- */

static bool registers_usable(struct vtd_model *unit, const char *name, bool pending)
{
    if (pending)
        vtd_violate(unit, "%s: written while an invalidation is in progress", name);
    if (unit->config.version >= 0x60) {
        vtd_violate(unit, "%s: this version ignores it", name);
        return false;
    }
    if ((vtd_get32(unit, R_GSTS) & G_QIE) == 0)
        return true;
    vtd_violate(unit, "%s: used while the queue is enabled", name);
    return false;
}

void vtd_context_written(struct vtd_model *unit, uint64_t value)
{
    if ((value & BIT64(63)) == 0)
        return;
    if ((value & MASK64(58, 34)) != 0)
        vtd_violate(unit, "CCMD: reserved bits in %#llx", (unsigned long long)value);
    if (!registers_usable(unit, "CCMD", unit->context_pending)) {
        vtd_set64(unit, R_CCMD, value & ~(BIT64(63) | MASK64(60, 59)));
        return;
    }
    unit->context_pending = true;
    unit->reads_left = unit->config.latency_reads;
}

void vtd_iotlb_written(struct vtd_model *unit, uint64_t value)
{
    unsigned offset = unit->config.iotlb_offset + 8u;

    if ((value & BIT64(63)) == 0)
        return;
    if ((value & (MASK64(31, 0) | MASK64(56, 50) | BIT64(59) | BIT64(62))) != 0)
        vtd_violate(unit, "IOTLB: reserved bits in %#llx", (unsigned long long)value);
    if (unit->context_pending)
        vtd_violate(unit, "IOTLB: invalidated while a context invalidation is in progress");
    if (!registers_usable(unit, "IOTLB", unit->iotlb_pending)) {
        vtd_set64(unit, offset, value & ~(BIT64(63) | MASK64(58, 57)));
        return;
    }
    unit->iotlb_pending = true;
    unit->reads_left = unit->config.latency_reads;
}

static void complete_context(struct vtd_model *unit)
{
    uint64_t value = vtd_get64(unit, R_CCMD);
    enum vtd_reach reach = (enum vtd_reach)FIELD64(value, 62, 61);

    if (unit->inject.context_never_done)
        return;
    if (reach == REACH_NONE)
        vtd_violate(unit, "CCMD: reserved granularity");
    vtd_invalidate_context(unit, reach, (uint16_t)value, (uint16_t)(value >> 16),
                           (unsigned)FIELD64(value, 33, 32));
    value &= ~(BIT64(63) | MASK64(60, 59));
    vtd_set64(unit, R_CCMD, value | (uint64_t)reach << 59); /* CAIG */
    unit->context_pending = false;
}

static void complete_iotlb(struct vtd_model *unit)
{
    unsigned offset = unit->config.iotlb_offset;
    uint64_t value = vtd_get64(unit, offset + 8u);
    enum vtd_reach reach = (enum vtd_reach)FIELD64(value, 61, 60);

    if (unit->inject.iotlb_never_done)
        return;
    if (!vtd_invalidate_iotlb(unit, reach, (uint16_t)(value >> 32), vtd_get64(unit, offset)))
        reach = REACH_NONE; /* IAIG 0: the request was refused [11.4.6.3] */
    value &= ~(BIT64(63) | MASK64(58, 57));
    vtd_set64(unit, offset + 8u, value | (uint64_t)reach << 57);
    unit->iotlb_pending = false;
}

void vtd_progress(struct vtd_model *unit)
{
    if (!unit->command_pending && !unit->context_pending && !unit->iotlb_pending)
        return;
    if (unit->reads_left > 1) {
        unit->reads_left--;
        return;
    }
    if (unit->command_pending)
        complete_command(unit);
    if (unit->context_pending)
        complete_context(unit);
    if (unit->iotlb_pending)
        complete_iotlb(unit);
}

/* ---- what both interfaces do ---- */

static void check_domain(struct vtd_model *unit, const char *what, uint16_t did)
{
    if (did >> unit->config.domain_bits != 0)
        vtd_violate(unit, "%s: domain %#x does not exist", what, did);
}

void vtd_invalidate_context(struct vtd_model *unit, enum vtd_reach reach, uint16_t did,
                            uint16_t rid, unsigned function_mask)
{
    uint64_t *const counters[] = {NULL, &unit->stats.context_global, &unit->stats.context_domain,
                                  &unit->stats.context_device};

    if (reach == REACH_NONE)
        return;
    (*counters[reach])++;
    if (reach != REACH_GLOBAL)
        check_domain(unit, "context invalidation", did);
    model_host_flush_writes(unit->host); /* implied [11.4.5.1] */
    unit->owes_iotlb = true;
    if (reach == REACH_GLOBAL)
        unit->owes_context_global = false;
    if (!unit->inject.lost_invalidations)
        vtd_context_drop(unit, reach, did, rid, function_mask);
}

static bool drop_pages(struct vtd_model *unit, uint16_t did, uint64_t word)
{
    unsigned mask = (unsigned)FIELD64(word, 5, 0);
    uint64_t first = word & ADDRESS_MASK;
    uint64_t span;

    if (!unit->config.page_selective || mask > unit->config.mamv) {
        vtd_violate(unit, "IOTLB: pages cannot be selected with mask %u", mask);
        return false;
    }
    span = (uint64_t)MODEL_PAGE_BYTES << mask;
    if ((first & (span - 1)) != 0)
        vtd_violate(unit, "IOTLB: %#llx is not aligned to mask %u", (unsigned long long)first,
                    mask);
    if ((word & MASK64(11, 7)) != 0)
        vtd_violate(unit, "IOTLB: reserved bits in address %#llx", (unsigned long long)word);
    first &= ~(span - 1);
    if (!unit->inject.lost_invalidations)
        vtd_cache_drop_range(unit, did, first, first + span - 1, (word & BIT64(6)) != 0);
    return true;
}

bool vtd_invalidate_iotlb(struct vtd_model *unit, enum vtd_reach reach, uint16_t did,
                          uint64_t address_word)
{
    if (reach == REACH_NONE) {
        vtd_violate(unit, "IOTLB: reserved granularity");
        return false;
    }
    if (reach != REACH_GLOBAL)
        check_domain(unit, "IOTLB invalidation", did);
    model_host_flush_writes(unit->host); /* implied [11.4.6.1] */
    if (reach == REACH_NARROW) {
        unit->stats.iotlb_page++;
        return drop_pages(unit, did, address_word);
    }
    unit->owes_iotlb = false;
    if (reach == REACH_DOMAIN) {
        unit->stats.iotlb_domain++;
        if (!unit->inject.lost_invalidations)
            vtd_cache_drop_domain(unit, did);
        return true;
    }
    unit->stats.iotlb_global++;
    /* It must follow the one of the context cache, which tags IOTLB entries [6.5.1.1]. */
    if (!unit->owes_context_global)
        unit->owes_iotlb_global = false;
    if (!unit->inject.lost_invalidations)
        vtd_cache_drop_all(unit);
    return true;
}
