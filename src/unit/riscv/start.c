// SPDX-License-Identifier: MIT
/*
 * Turning translation on and off [RISC-V IOMMU 5.5, 6.2].
 *
 * Order of a start:
 *   1. DDTP says off, which blocks everything. Where firmware left a directory, this is a moment in
 *      which its devices are blocked: no other way leads from one directory to another
 *   2. the queues off
 *   3. byte order and kind of interrupts; vectors and messages
 *   4. the command queue on; everything is invalidated, and the completion seen
 *   5. fault queue and page request queue on
 *   6. DDTP says where our directory is, from off to on in one write
 *
 * Stop: DDTP off, then the queues; then bare if that is what was found.
 */
#include "unit/riscv/riommu.h"

static enum sluice_status queues_off(struct riommu *riommu)
{
    enum sluice_status status = riommu_ring_stop(riommu);

    return status == SLUICE_OK ? riommu_logs_stop(riommu) : status;
}

static enum sluice_status bring_up(struct riommu *riommu)
{
    enum sluice_status status = riommu_directory_off(riommu);

    if (status == SLUICE_OK)
        status = queues_off(riommu);
    if (status == SLUICE_OK)
        status = riommu_features_set(riommu);
    if (status != SLUICE_OK)
        return status;
    riommu_event_program(riommu);
    status = riommu_ring_start(riommu);
    if (status == SLUICE_OK)
        status = riommu_invalidate_everything(riommu);
    if (status == SLUICE_OK)
        status = riommu_logs_start(riommu);
    if (status == SLUICE_OK)
        status = riommu_directory_on(riommu);
    return status;
}

/* Off blocks everything; the command queue takes nothing any more, whether that worked or not. */
static enum sluice_status block(struct riommu *riommu)
{
    enum sluice_status status = riommu_directory_off(riommu);
    enum sluice_status queues = queues_off(riommu);

    return status != SLUICE_OK ? status : queues;
}

/*
 * Off again. What firmware had on does not come back, and where it had, devices stay blocked; a
 * unit that was bare is bare again.
 */
static enum sluice_status turn_off(struct riommu *riommu)
{
    enum sluice_status status = block(riommu);

    if (status == SLUICE_OK && riommu->before == RIOMMU_DDTP_BARE)
        status = riommu_directory_set(riommu, RIOMMU_DDTP_BARE, 0);
    return status;
}

static void take_down(struct riommu *riommu)
{
    riommu->unit.exposed = turn_off(riommu) != SLUICE_OK;
    if (riommu->unit.exposed)
        unit_degrade(&riommu->unit, "start failed, and the unit could not be put back");
    riommu_event_remove(riommu);
}

enum sluice_status riommu_start(struct unit *unit)
{
    struct riommu *riommu = riommu_of(unit);
    enum riommu_ddtp_mode before;
    enum sluice_status status = riommu_directory_mode(riommu, &before);

    if (status != SLUICE_OK)
        return status;
    if (before > RIOMMU_DDTP_BARE)
        log_info(unit->sluice,
                 "%s: firmware left translation on; its devices are blocked while it is taken over",
                 unit->name);
    riommu->before = before;
    if (unit->desc->on_pci)
        riommu_pci_master(riommu);
    riommu_event_prepare(riommu);
    status = bring_up(riommu);
    if (status != SLUICE_OK) {
        take_down(riommu);
        return status;
    }
    unit->started = true;
    unit->exposed = false;
    log_info(unit->sluice, "%s: translation on, %u-bit IOVA, device directory of %u levels",
             unit->name, unit->caps.iova_bits, riommu->levels);
    return SLUICE_OK;
}

enum sluice_status riommu_stop(struct unit *unit)
{
    struct riommu *riommu = riommu_of(unit);
    enum sluice_status status = turn_off(riommu);

    riommu_event_remove(riommu);
    return unit_stopped(unit, status);
}

/* Translation stays on: turning it off would block devices, or open memory, until power is lost. */
enum sluice_status riommu_suspend(struct unit *unit)
{
    struct riommu *riommu = riommu_of(unit);
    enum sluice_status status;

    if (!unit->started)
        return SLUICE_ERR_STATE;
    riommu_ring_quiet(riommu);
    riommu_logs_quiet(riommu);
    (void)riommu_faults_drain(unit, unit_fault_deliver, unit);
    status = riommu_invalidate_everything(riommu);
    if (status != SLUICE_OK)
        unit_degrade(unit, "it did not come to rest before suspend");
    return status;
}

enum sluice_status riommu_resume(struct unit *unit)
{
    struct riommu *riommu = riommu_of(unit);
    enum sluice_status status;

    if (unit->desc->on_pci)
        riommu_pci_master(riommu);
    status = bring_up(riommu);
    if (status != SLUICE_OK && block(riommu) != SLUICE_OK)
        log_error(unit->sluice, "%s: it could not be turned off: what devices reach is unknown",
                  unit->name);
    return unit_resumed(unit, status);
}
