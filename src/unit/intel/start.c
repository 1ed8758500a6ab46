// SPDX-License-Identifier: MIT
/*
 * Turning translation on and off [VT-d 6.6, 11.4.4, 11.4.5, 11.4.8].
 *
 * Order of a start, whether firmware left translation off or on:
 *   1. stale faults dropped, the event masked
 *   2. the queue that was there is drained and turned off, ours is turned on
 *   3. where interrupts are remapped, their table pointer is set, and older messages are refused;
 *      the root table pointer is set: tables are complete by then. With translation on this is a
 *      live change: the unit uses the old table, or ours, until 4 is done
 *   4. contexts, PASIDs, IOTLB and interrupt entries are invalidated globally
 *   5. interrupt remapping on, then translation
 *   6. protected memory regions off: only now, so nothing is reachable in between
 *   7. fault event on
 *
 * Stop: translation off and confirmed, then the queue. Protected regions stay off: they belonged
 * to firmware, and after stop devices reach all of memory as documented.
 */
#include "unit/intel/vtd.h"

static enum sluice_status look(struct vtd *vtd, struct vtd_before *out)
{
    out->status = vtd_read32(vtd, VTD_REG_GSTS);
    out->root = vtd_read64(vtd, VTD_REG_RTADDR);
    out->protected_memory = vtd_protected_memory(vtd);
    out->interrupts = vtd->unit.sluice->remaps_interrupts ? vtd_read64(vtd, VTD_REG_IRTA) : 0;
    if (out->status == UINT32_MAX) {
        log_error(vtd->unit.sluice, "%s: GSTS reads all ones: the unit is gone", vtd->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    return SLUICE_OK;
}

static bool was_on(const struct vtd_before *before)
{
    return (before->status & VTD_MASK32(GSTS_TES)) != 0;
}

/*
 * With translation on, the table mode may change only where setting the root also drops everything
 * that is cached: then it is one step from the old tables to ours [VT-d 6.6, 11.4.5]. Elsewhere
 * translation would have to go off in between.
 */
static enum sluice_status check_mode(struct vtd *vtd, const struct vtd_before *before)
{
    uint64_t mode = VTD_GET(RTADDR_TTM, before->root);

    if (!was_on(before) || mode == VTD_TTM_LEGACY || VTD_GET(CAP_ESRTPS, vtd->capability.cap) != 0)
        return SLUICE_OK;
    log_error(vtd->unit.sluice,
              "%s: firmware left translation on in %s mode, which cannot be left without a gap: "
              "refused",
              vtd->unit.name, mode == VTD_TTM_ABORT ? "abort-DMA" : "scalable");
    return SLUICE_ERR_UNSUPPORTED;
}

static enum sluice_status set_tables_and_invalidate(struct vtd *vtd)
{
    bool interrupts = vtd->unit.sluice->remaps_interrupts;
    enum sluice_status status = interrupts ? vtd_interrupts_set_table(vtd) : SLUICE_OK;

    if (status == SLUICE_OK)
        status = vtd_command_flush_writes(vtd);
    if (status == SLUICE_OK)
        status = vtd_command_set_root(vtd, vtd->root.phys | VTD_PREP(RTADDR_TTM, VTD_TTM_LEGACY));
    if (status == SLUICE_OK)
        status = vtd_invalidate_all(vtd);
    if (status == SLUICE_OK && interrupts)
        status = vtd_interrupts_enable(vtd);
    return status;
}

/* A register-based invalidation of before must end before a queue begins [VT-d 6.5.2]. */
static enum sluice_status finish_commands(struct vtd *vtd)
{
    enum sluice_status status =
        vtd_wait32(vtd, VTD_REG_CCMD + 4, 0x80000000u, 0, "context invalidation of before");

    if (status == SLUICE_OK)
        status = vtd_wait32(vtd, vtd->capability.iotlb_offset + 12, 0x80000000u, 0,
                            "IOTLB invalidation of before");
    return status;
}

static enum sluice_status bring_up(struct vtd *vtd, const struct vtd_before *before)
{
    enum sluice_status status;

    vtd_fault_event_off(vtd, false);
    vtd_fault_clear(vtd);
    status = finish_commands(vtd);
    if (status == SLUICE_OK)
        status = vtd_queue_off(vtd);
    if (status == SLUICE_OK && vtd->use_queue)
        status = vtd_queue_on(vtd);
    if (status == SLUICE_OK)
        status = set_tables_and_invalidate(vtd);
    if (status == SLUICE_OK && !was_on(before))
        status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), true, "translation on");
    if (status == SLUICE_OK)
        status = vtd_protected_memory_off(vtd);
    return status;
}

/* The queue if it still answers; else the registers, which need it off [VT-d 6.5]. */
static enum sluice_status forget_all(struct vtd *vtd)
{
    enum sluice_status status = SLUICE_ERR_HARDWARE;

    if (vtd->queue.enabled && !vtd->queue.dead)
        status = vtd_invalidate_all(vtd);
    if (status != SLUICE_OK && vtd_has_register_invalidation(vtd)) {
        status = vtd_queue_off(vtd);
        if (status == SLUICE_OK)
            status = vtd_invalidate_all_by_registers(vtd);
    }
    return status;
}

/*
 * Back to what firmware left: its table, or off, with its memory protected before that. Firmware's
 * queue stays off: nothing of it runs that would use it. Our memory counts as exposed until the
 * unit confirmed that it let go.
 */
static void take_down(struct vtd *vtd, const struct vtd_before *before)
{
    enum sluice_status guarded = vtd_protected_memory_put_back(vtd, before->protected_memory);
    enum sluice_status status;

    if (was_on(before)) {
        status = vtd_command_set_root(vtd, before->root);
        if (status == SLUICE_OK && VTD_GET(CAP_ESRTPS, vtd->capability.cap) == 0)
            status = forget_all(vtd);
    } else {
        /* Memory that firmware protects must be: else translation stays on, and blocks. */
        status = guarded;
        if (status == SLUICE_OK)
            status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), false, "translation off");
    }
    if (vtd->unit.sluice->remaps_interrupts &&
        vtd_interrupts_put_back(vtd, before->status, before->interrupts) != SLUICE_OK)
        status = SLUICE_ERR_HARDWARE;
    if (vtd_queue_off(vtd) != SLUICE_OK)
        status = SLUICE_ERR_HARDWARE;
    vtd->unit.exposed = status != SLUICE_OK;
    if (vtd->unit.exposed)
        unit_degrade(&vtd->unit, "start failed, and the unit could not be put back");
}

enum sluice_status vtd_start(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);
    struct vtd_before *before = &vtd->before;
    enum sluice_status status = look(vtd, before);

    if (status == SLUICE_OK)
        status = check_mode(vtd, before); /* before anything is written */
    if (status != SLUICE_OK)
        return status;
    if (was_on(before))
        log_info(unit->sluice, "%s: firmware left translation on; taking over", unit->name);
    status = bring_up(vtd, before);
    if (status != SLUICE_OK) {
        take_down(vtd, before);
        return status;
    }
    unit->started = true;
    vtd_fault_event_on(vtd);
    log_info(unit->sluice, "%s: translation on, %u-bit IOVA, invalidation by %s", unit->name,
             unit->caps.iova_bits, vtd->use_queue ? "queue" : "registers");
    return SLUICE_OK;
}

enum sluice_status vtd_stop(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);
    enum sluice_status status;

    vtd_fault_event_off(vtd, true);
    status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), false, "translation off");
    if (status == SLUICE_OK && unit->sluice->remaps_interrupts)
        status = vtd_interrupts_disable(vtd);
    if (status == SLUICE_OK)
        status = vtd_queue_off(vtd);
    return unit_stopped(unit, status);
}

enum sluice_status vtd_revert(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);

    vtd_fault_event_off(vtd, true);
    take_down(vtd, &vtd->before);
    unit->started = false;
    return unit->exposed ? SLUICE_ERR_HARDWARE : SLUICE_OK;
}

/*
 * Translation stays on: turning it off would open memory until power is lost. All that has to be
 * so is that nothing is in flight.
 */
enum sluice_status vtd_suspend(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);
    enum sluice_status status;

    if (!unit->started)
        return SLUICE_ERR_STATE;
    vtd_fault_event_off(vtd, false);
    (void)vtd_faults_drain(unit, unit_fault_deliver, unit);
    status = vtd_command_flush_writes(vtd);
    if (status == SLUICE_OK)
        status = vtd_invalidate_all(vtd);
    if (status != SLUICE_OK)
        unit_degrade(unit, "it did not come to rest before suspend");
    return status;
}

/*
 * A unit that came back off lets everything through. Where it takes commands at all it is led to
 * our tables, also where it cannot be made to forget what it had before: after a loss of power it
 * has nothing [VT-d 6.6], and whatever it has reaches less than no translation does.
 */
static void close_if_open(struct vtd *vtd)
{
    const uint64_t root = vtd->root.phys | VTD_PREP(RTADDR_TTM, VTD_TTM_LEGACY);
    uint32_t now = vtd_read32(vtd, VTD_REG_GSTS);
    enum sluice_status status = SLUICE_OK;

    if (now == UINT32_MAX || (now & VTD_MASK32(GSTS_TES)) != 0)
        return;
    if ((now & VTD_MASK32(GSTS_RTPS)) == 0 || vtd_read64(vtd, VTD_REG_RTADDR) != root)
        status = vtd_command_set_root(vtd, root);
    if (status == SLUICE_OK && forget_all(vtd) != SLUICE_OK)
        log_warning(vtd->unit.sluice, "%s: translation on, whatever it has cached", vtd->unit.name);
    if (status == SLUICE_OK)
        status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_TES), true, "translation on");
    if (status != SLUICE_OK)
        log_error(vtd->unit.sluice, "%s: translation is off, and devices reach all of memory",
                  vtd->unit.name);
}

enum sluice_status vtd_resume(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);
    struct vtd_before before;
    enum sluice_status status = look(vtd, &before);

    if (status == SLUICE_OK)
        status = bring_up(vtd, &before);
    if (status == SLUICE_OK)
        vtd_fault_event_on(vtd);
    else
        close_if_open(vtd);
    return unit_resumed(unit, status);
}
