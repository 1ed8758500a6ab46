// SPDX-License-Identifier: MIT
/*
 * Turning translation on and off [AMD 3.4].
 *
 * Order of a start, whether firmware left translation off or on:
 *   1. event interrupt off; the command buffer and the logs that were there are turned off
 *   2. the exclusion range is cleared: it would let devices past their tables
 *   3. our command buffer and logs are programmed
 *   4. where interrupts are remapped, the format of their entries is set
 *   5. the device table base is set. Every entry in it is valid by then: blocked, or what its
 *      device is attached to; interrupts refused, or led to a table. With translation on this is a
 * live change: the unit uses the old table, or ours, until 7 is done
 *   6. CONTROL: all of it on at once. A unit that is off takes no commands, so nothing can be
 *      invalidated before; what it still has cached from earlier reaches less than no translation
 *   7. everything is invalidated, and the completion seen
 *   8. event interrupt on
 *
 * With translation on and another format of interrupt entries, 4 comes after 7, so that no entry is
 * read in the wrong one: until then our table refuses every interrupt.
 *
 * Stop: translation off, then the command buffer and the log, and their status is waited for.
 */
#include "unit/amd/amdvi.h"

/** 1 s for a device to answer an invalidation of its TLB [AMD 3.4, InvTimeOut]. */
#define DEVICE_TIMEOUT 4u

/** Bits of CONTROL that this driver decides about; what else firmware set there stays. */
static uint64_t own_bits(void)
{
    return AMDVI_MASK(CONTROL_EN) | AMDVI_MASK(CONTROL_HTTUN) | AMDVI_MASK(CONTROL_EVTLOG) |
           AMDVI_MASK(CONTROL_EVTINT) | AMDVI_MASK(CONTROL_COMWAITINT) | AMDVI_MASK(CONTROL_INVTO) |
           AMDVI_MASK(CONTROL_PASSPW) | AMDVI_MASK(CONTROL_RESPASSPW) |
           AMDVI_MASK(CONTROL_COHERENT) | AMDVI_MASK(CONTROL_ISOC) | AMDVI_MASK(CONTROL_CMDBUF) |
           AMDVI_MASK(CONTROL_PPRLOG) | AMDVI_MASK(CONTROL_PPRINT) | AMDVI_MASK(CONTROL_PPR) |
           AMDVI_MASK(CONTROL_GT) | AMDVI_MASK(CONTROL_DUALEVT) | AMDVI_MASK(CONTROL_DEVTABSEG);
}

/** What firmware asks for in IVRS, and snooping in any case [AMD 5.2.2]. */
static uint64_t wanted_bits(const struct platform_ivhd *ivhd)
{
    uint64_t want = AMDVI_MASK(CONTROL_COHERENT) | AMDVI_PREP(CONTROL_INVTO, DEVICE_TIMEOUT) |
                    AMDVI_MASK(CONTROL_CMDBUF) | AMDVI_MASK(CONTROL_EN);

    if ((ivhd->flags & PLATFORM_IVHD_HT_TUNNEL) != 0)
        want |= AMDVI_MASK(CONTROL_HTTUN);
    if ((ivhd->flags & PLATFORM_IVHD_PASS_PW) != 0)
        want |= AMDVI_MASK(CONTROL_PASSPW);
    if ((ivhd->flags & PLATFORM_IVHD_RES_PASS_PW) != 0)
        want |= AMDVI_MASK(CONTROL_RESPASSPW);
    if ((ivhd->flags & PLATFORM_IVHD_ISOC) != 0)
        want |= AMDVI_MASK(CONTROL_ISOC);
    return want;
}

static enum sluice_status look(struct amdvi *amdvi, struct amdvi_before *out)
{
    out->control = amdvi_read(amdvi, AMDVI_REG_CONTROL);
    out->exclusion_base = amdvi_read(amdvi, AMDVI_REG_EXCL_BASE);
    out->exclusion_limit = amdvi_read(amdvi, AMDVI_REG_EXCL_LIMIT);
    if (out->control == UINT64_MAX) {
        log_error(amdvi->unit.sluice, "%s: CONTROL reads all ones: the unit is gone",
                  amdvi->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    amdvi->control = out->control;
    amdvi_table_look(amdvi, &out->table);
    return SLUICE_OK;
}

static bool was_on(const struct amdvi_before *before)
{
    return (before->control & AMDVI_MASK(CONTROL_EN)) != 0;
}

static void exclusion_set(struct amdvi *amdvi, uint64_t base, uint64_t limit)
{
    amdvi_write(amdvi, AMDVI_REG_EXCL_BASE, 0); /* off while the limit changes */
    amdvi_write(amdvi, AMDVI_REG_EXCL_LIMIT, limit);
    amdvi_write(amdvi, AMDVI_REG_EXCL_BASE, base);
}

static enum sluice_status rings_off(struct amdvi *amdvi)
{
    enum sluice_status status = amdvi_requests_off(amdvi);

    if (status == SLUICE_OK)
        status = amdvi_log_off(amdvi);
    return status != SLUICE_OK ? status : amdvi_queue_off(amdvi);
}

/* The buffer runs and the table is ours: nothing of before may stay cached. */
static enum sluice_status turn_on(struct amdvi *amdvi)
{
    uint64_t running = AMDVI_MASK(STATUS_CMDRUN) | AMDVI_MASK(STATUS_EVTRUN);
    enum sluice_status status;
    sluice_irqstate_t irq;

    amdvi_control(amdvi, own_bits() & ~AMDVI_MASK(CONTROL_EN),
                  wanted_bits(&amdvi->unit.desc->ivhd) | amdvi_log_bits(amdvi) |
                      amdvi_requests_bits(amdvi) |
                      AMDVI_PREP(CONTROL_DEVTABSEG, amdvi->segments_lg2));
    status = amdvi_wait_status(amdvi, running, running, "command buffer and event log on");
    if (status != SLUICE_OK)
        return status;
    irq = sluice_spin_lock(&amdvi->ring.lock);
    amdvi->ring.enabled = true;
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    return amdvi_invalidate_everything(amdvi);
}

/* Whether the unit reads interrupt entries by now that it would take for something else. */
static bool format_is_live(const struct amdvi *amdvi)
{
    return (amdvi->control & AMDVI_MASK(CONTROL_EN)) != 0 &&
           (amdvi->control & amdvi_interrupt_format_mask()) != amdvi_interrupt_format(amdvi);
}

static enum sluice_status change_live_format(struct amdvi *amdvi)
{
    amdvi_interrupt_format_set(amdvi);
    amdvi_interrupt_tables_hold(amdvi, false);
    return amdvi_invalidate_everything(amdvi);
}

static enum sluice_status bring_up(struct amdvi *amdvi)
{
    enum sluice_status status = rings_off(amdvi);
    bool remaps = amdvi->unit.sluice->remaps_interrupts;
    bool live = remaps && format_is_live(amdvi);

    if (status != SLUICE_OK)
        return status;
    amdvi_errata_apply(amdvi);
    exclusion_set(amdvi, 0, 0);
    amdvi_queue_program(amdvi);
    amdvi_log_program(amdvi);
    amdvi_requests_program(amdvi);
    amdvi_interrupt_tables_hold(amdvi, live);
    if (remaps && !live)
        amdvi_interrupt_format_set(amdvi);
    status = amdvi_table_set(amdvi);
    if (status == SLUICE_OK)
        status = turn_on(amdvi);
    if (status == SLUICE_OK && live)
        status = change_live_format(amdvi);
    if (status == SLUICE_OK)
        amdvi_requests_check(amdvi);
    return status;
}

/* The format that was there; our device table, in which nothing is remapped yet, is still used. */
static void put_format_back(struct amdvi *amdvi, const struct amdvi_before *before)
{
    if (amdvi->unit.sluice->remaps_interrupts)
        amdvi_control(amdvi, amdvi_interrupt_format_mask(),
                      before->control & amdvi_interrupt_format_mask());
}

/*
 * Back to what firmware left: its table, or off. Firmware's rings stay off: nothing of it runs that
 * would use them. Our memory counts as exposed until the unit confirmed that it let go.
 */
static void take_down(struct amdvi *amdvi, const struct amdvi_before *before)
{
    enum sluice_status status = SLUICE_OK;

    if (was_on(before)) {
        put_format_back(amdvi, before);
        exclusion_set(amdvi, before->exclusion_base, before->exclusion_limit);
        if (!amdvi_table_is(amdvi, &before->table)) {
            status = amdvi_table_set_to(amdvi, &before->table);
            if (status == SLUICE_OK)
                status =
                    amdvi->ring.enabled ? amdvi_invalidate_everything(amdvi) : SLUICE_ERR_HARDWARE;
        }
    } else {
        amdvi_control(amdvi, AMDVI_MASK(CONTROL_EN), 0);
        put_format_back(amdvi, before);
    }
    if (rings_off(amdvi) != SLUICE_OK)
        status = SLUICE_ERR_HARDWARE;
    if (was_on(before) && status == SLUICE_OK)
        amdvi_control(amdvi, own_bits(),
                      before->control &
                          ~(AMDVI_MASK(CONTROL_CMDBUF) | AMDVI_MASK(CONTROL_EVTLOG) |
                            AMDVI_MASK(CONTROL_EVTINT) | AMDVI_MASK(CONTROL_PPRLOG) |
                            AMDVI_MASK(CONTROL_PPRINT) | AMDVI_MASK(CONTROL_PPR) |
                            AMDVI_MASK(CONTROL_DUALEVT)) &
                          own_bits());
    amdvi->unit.exposed = status != SLUICE_OK;
    if (amdvi->unit.exposed)
        unit_degrade(&amdvi->unit, "start failed, and the unit could not be put back");
}

enum sluice_status amdvi_start(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct amdvi_before *before = &amdvi->before;
    enum sluice_status status = look(amdvi, before);

    if (status != SLUICE_OK)
        return status;
    if (was_on(before))
        log_info(unit->sluice, "%s: firmware left translation on; taking over", unit->name);
    if (was_on(before) && !unit->sluice->remaps_interrupts)
        log_warning(unit->sluice,
                    "%s: interrupts that firmware may have remapped pass as they are from now on",
                    unit->name);
    status = bring_up(amdvi);
    if (status != SLUICE_OK) {
        take_down(amdvi, before);
        return status;
    }
    unit->started = true;
    amdvi_event_on(amdvi);
    log_info(unit->sluice, "%s: translation on, %u-bit IOVA", unit->name, unit->caps.iova_bits);
    if (unit->sluice->remaps_interrupts)
        log_info(unit->sluice, "%s: interrupts are remapped, entries of %u bits, %s destinations",
                 unit->name, amdvi->capability.wide_interrupts ? 128u : 32u,
                 unit->sluice->x2apic ? "x2APIC" : "xAPIC");
    return SLUICE_OK;
}

enum sluice_status amdvi_stop(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);
    uint64_t now = amdvi_read(amdvi, AMDVI_REG_CONTROL);
    enum sluice_status status;

    /* After sleep it may not be what was written last. */
    if (now != UINT64_MAX)
        amdvi->control = now;
    amdvi_event_off(amdvi, true);
    /* Who comes after us may not know of segments. */
    amdvi_control(amdvi, AMDVI_MASK(CONTROL_EN) | AMDVI_MASK(CONTROL_DEVTABSEG), 0);
    if (unit->sluice->remaps_interrupts)
        amdvi_control(amdvi, amdvi_interrupt_format_mask(), 0);
    status = rings_off(amdvi);
    if (status == SLUICE_OK && (amdvi_read(amdvi, AMDVI_REG_CONTROL) & AMDVI_MASK(CONTROL_EN)) != 0)
        status = SLUICE_ERR_HARDWARE;
    return unit_stopped(unit, status);
}

enum sluice_status amdvi_revert(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);

    amdvi_event_off(amdvi, true);
    take_down(amdvi, &amdvi->before);
    unit->started = false;
    return unit->exposed ? SLUICE_ERR_HARDWARE : SLUICE_OK;
}

/*
 * Translation stays on: turning it off would open memory until power is lost. All that has to be
 * so is that nothing is in flight.
 */
enum sluice_status amdvi_suspend(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);
    enum sluice_status status;

    if (!unit->started)
        return SLUICE_ERR_STATE;
    amdvi_event_off(amdvi, false);
    (void)amdvi_faults_drain(unit, unit_fault_deliver, unit);
    status = amdvi_invalidate_everything(amdvi);
    if (status != SLUICE_OK)
        unit_degrade(unit, "it did not come to rest before suspend");
    return status;
}

/*
 * A unit that came back off lets everything through. It is led to our table, though it could not be
 * made to forget what it had before: after a loss of power it has nothing, and whatever it has
 * reaches less than no translation does. Whether it took that is not known, if it does not answer.
 */
static void close_if_open(struct amdvi *amdvi)
{
    if ((amdvi_read(amdvi, AMDVI_REG_CONTROL) & AMDVI_MASK(CONTROL_EN)) != 0)
        return;
    if (amdvi_table_set(amdvi) == SLUICE_OK)
        amdvi_control(amdvi, AMDVI_MASK(CONTROL_EN), AMDVI_MASK(CONTROL_EN));
    if ((amdvi_read(amdvi, AMDVI_REG_CONTROL) & AMDVI_MASK(CONTROL_EN)) == 0)
        log_error(amdvi->unit.sluice, "%s: translation is off, and devices reach all of memory",
                  amdvi->unit.name);
}

enum sluice_status amdvi_resume(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct amdvi_before before;
    enum sluice_status status = look(amdvi, &before);

    if (status == SLUICE_OK)
        status = bring_up(amdvi);
    if (status == SLUICE_OK)
        amdvi_event_on(amdvi);
    else
        close_if_open(amdvi);
    return unit_resumed(unit, status);
}
