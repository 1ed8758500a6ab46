// SPDX-License-Identifier: MIT
/*
 * Turning translation on and off [SMMU 6.3.9, 3.11].
 *
 * Order of a start:
 *   1. GBPA says abort, so that nothing gets past while translation is off
 *   2. interrupts off; everything in CR0 off. Where firmware left translation on, this is a moment
 *      in which devices are blocked: the stream table cannot be changed while it is in use
 *   3. how tables are read, the stream table, the queues
 *   4. the command queue on; everything is invalidated, and the completion seen
 *   5. event queue and page request queue on
 *   6. translation on; interrupts on
 *
 * Stop: translation off with GBPA saying abort, then the queues; then GBPA as it was found.
 */
#include "unit/smmu3/smmu3.h"

static uint32_t mask32(uint64_t mask)
{
    return (uint32_t)mask;
}

static enum sluice_status look(struct smmu3 *smmu3, struct smmu3_before *out)
{
    out->cr0 = smmu3_read32(smmu3, SMMU3_REG_CR0);
    out->gbpa = smmu3_read32(smmu3, SMMU3_REG_GBPA);
    if (out->cr0 == UINT32_MAX || out->gbpa == UINT32_MAX) {
        log_error(smmu3->unit.sluice, "%s: registers read all ones: the unit is gone",
                  smmu3->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    return SLUICE_OK;
}

static enum sluice_status close_bypass(struct smmu3 *smmu3, uint32_t gbpa)
{
    return smmu3_bypass_set(smmu3, gbpa | mask32(SMMU3_MASK(GBPA_ABORT)));
}

static void program_attributes(struct smmu3 *smmu3)
{
    uint64_t cr1 =
        SMMU3_PREP(CR1_QUEUE_SH, SMMU3_SHARE_OUTER) | SMMU3_PREP(CR1_TABLE_SH, SMMU3_SHARE_OUTER);

    if (smmu3->unit.caps.coherent)
        cr1 = SMMU3_PREP(CR1_QUEUE_IC, SMMU3_WRITE_BACK) |
              SMMU3_PREP(CR1_QUEUE_OC, SMMU3_WRITE_BACK) |
              SMMU3_PREP(CR1_QUEUE_SH, SMMU3_SHARE_INNER) |
              SMMU3_PREP(CR1_TABLE_IC, SMMU3_WRITE_BACK) |
              SMMU3_PREP(CR1_TABLE_OC, SMMU3_WRITE_BACK) |
              SMMU3_PREP(CR1_TABLE_SH, SMMU3_SHARE_INNER);
    smmu3_write32(smmu3, SMMU3_REG_CR1, mask32(cr1));
    smmu3_write32(smmu3, SMMU3_REG_CR2, mask32(SMMU3_MASK(CR2_RECINVSID) | SMMU3_MASK(CR2_PTM)));
    smmu3_write64(smmu3, SMMU3_REG_STRTAB_BASE, smmu3->table.phys | SMMU3_MASK(STRTAB_BASE_RA));
    smmu3_write32(smmu3, SMMU3_REG_STRTAB_BASE_CFG, smmu3_table_config(smmu3));
}

static uint32_t logs_enable(const struct smmu3 *smmu3)
{
    return mask32(SMMU3_MASK(CR0_EVENTQEN) |
                  (smmu3->requests.pages.virt != NULL ? SMMU3_MASK(CR0_PRIQEN) : 0));
}

static enum sluice_status bring_up(struct smmu3 *smmu3, uint32_t gbpa)
{
    uint32_t cr0 = mask32(SMMU3_MASK(CR0_CMDQEN));
    enum sluice_status status = close_bypass(smmu3, gbpa);

    if (status == SLUICE_OK)
        status = smmu3_interrupts(smmu3, 0);
    smmu3_queue_enable(smmu3, false);
    if (status == SLUICE_OK)
        status = smmu3_control(smmu3, 0);
    if (status != SLUICE_OK)
        return status;
    program_attributes(smmu3);
    smmu3_queue_program(smmu3);
    smmu3_logs_program(smmu3);
    status = smmu3_control(smmu3, cr0);
    if (status != SLUICE_OK)
        return status;
    smmu3_queue_enable(smmu3, true);
    status = smmu3_invalidate_everything(smmu3);
    cr0 |= logs_enable(smmu3);
    if (status == SLUICE_OK)
        status = smmu3_control(smmu3, cr0);
    if (smmu3->unit.caps.ats)
        cr0 |= mask32(SMMU3_MASK(CR0_ATSCHK));
    if (status == SLUICE_OK)
        status = smmu3_control(smmu3, cr0 | mask32(SMMU3_MASK(CR0_SMMUEN)));
    return status;
}

/* Translation and queues off, with everything aborted meanwhile. */
static enum sluice_status turn_off(struct smmu3 *smmu3)
{
    enum sluice_status status = close_bypass(smmu3, smmu3->gbpa);

    if (status != SLUICE_OK)
        return status;
    /* After sleep it may not be what was written last. */
    smmu3->cr0 &= smmu3_read32(smmu3, SMMU3_REG_CR0);
    status = smmu3_control(smmu3, smmu3->cr0 & ~mask32(SMMU3_MASK(CR0_SMMUEN)));
    smmu3_queue_enable(smmu3, false);
    return status != SLUICE_OK ? status : smmu3_control(smmu3, 0);
}

/*
 * Off again. What firmware had on does not come back, and where it had, devices stay blocked; else
 * GBPA is as it was found.
 */
static void take_down(struct smmu3 *smmu3, const struct smmu3_before *before)
{
    enum sluice_status status = turn_off(smmu3);

    if (status == SLUICE_OK && (before->cr0 & SMMU3_MASK(CR0_SMMUEN)) == 0)
        status = smmu3_bypass_set(smmu3, before->gbpa);
    smmu3->unit.exposed = status != SLUICE_OK;
    if (smmu3->unit.exposed)
        unit_degrade(&smmu3->unit, "start failed, and the unit could not be put back");
}

enum sluice_status smmu3_start(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    struct smmu3_before *before = &smmu3->before;
    enum sluice_status status = look(smmu3, before);

    if (status != SLUICE_OK)
        return status;
    if ((before->cr0 & SMMU3_MASK(CR0_SMMUEN)) != 0)
        log_info(unit->sluice,
                 "%s: firmware left translation on; its devices are blocked while it is taken over",
                 unit->name);
    smmu3->gbpa = before->gbpa;
    smmu3->cr0 = before->cr0;
    status = bring_up(smmu3, before->gbpa);
    if (status != SLUICE_OK) {
        take_down(smmu3, before);
        return status;
    }
    unit->started = true;
    unit->exposed = false;
    smmu3_event_on(smmu3);
    log_info(unit->sluice, "%s: translation on, %u-bit IOVA", unit->name, unit->caps.iova_bits);
    return SLUICE_OK;
}

enum sluice_status smmu3_stop(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    enum sluice_status status;

    smmu3_event_off(smmu3, true);
    status = turn_off(smmu3);
    if (status == SLUICE_OK)
        status = smmu3_bypass_set(smmu3, smmu3->gbpa);
    return unit_stopped(unit, status);
}

enum sluice_status smmu3_revert(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);

    smmu3_event_off(smmu3, true);
    take_down(smmu3, &smmu3->before);
    unit->started = false;
    return unit->exposed ? SLUICE_ERR_HARDWARE : SLUICE_OK;
}

/* Translation stays on: turning it off would block devices, or open memory, until power is lost. */
enum sluice_status smmu3_suspend(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    enum sluice_status status;

    if (!unit->started)
        return SLUICE_ERR_STATE;
    smmu3_event_off(smmu3, false);
    (void)smmu3_faults_drain(unit, unit_fault_deliver, unit);
    status = smmu3_invalidate_everything(smmu3);
    if (status != SLUICE_OK)
        unit_degrade(unit, "it did not come to rest before suspend");
    return status;
}

enum sluice_status smmu3_resume(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    struct smmu3_before before;
    enum sluice_status status = look(smmu3, &before);

    if (status == SLUICE_OK)
        status = bring_up(smmu3, smmu3->gbpa);
    if (status == SLUICE_OK)
        smmu3_event_on(smmu3);
    else if (turn_off(smmu3) != SLUICE_OK)
        log_error(unit->sluice, "%s: it could not be made to abort: what devices reach is unknown",
                  unit->name);
    return unit_resumed(unit, status);
}
