// SPDX-License-Identifier: MIT
/*
 * Turning translation on and off [Virtio 3.1.1, 5.13.5].
 *
 * Order of a start: the device is reset, which takes everybody out of every domain; features are
 * agreed on and the queues placed; those who firmware wants to reach memory get their domains and
 * mappings; and then bypass is turned off. A reset does not change `bypass` [Virtio 5.13.4], so
 * devices that firmware let through go on as before until then, and devices that it blocked stay
 * blocked. Where the device has no BYPASS_CONFIG, not taking BYPASS has it block who is in no
 * domain from the moment features are agreed on. After sleep bypass is off before all else, since
 * power may have been lost and no device is let loose yet.
 */
#include "unit/virtio/virtio.h"

/* Waits for the reset to be done [Virtio 2.4.1, 4.1.4.3.2]. */
static enum sluice_status reset(struct viommu *viommu)
{
    struct sluice *sluice = viommu->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    viommu->transport->status_set(viommu, 0);
    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the read: one look after it */
        uint8_t status = viommu->transport->status(viommu);

        if (status == 0)
            return SLUICE_OK;
        if (status == VIRTIO_STATUS_GONE) {
            log_error(sluice, "%s: status reads all ones: the unit is gone", viommu->unit.name);
            return SLUICE_ERR_HARDWARE;
        }
        if (late) {
            log_error(sluice, "%s: it did not reset in time: status %#x", viommu->unit.name,
                      (unsigned)status);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}

/* The device's features are what they were, and it takes our choice [Virtio 3.1.1, steps 4 to 6].
 */
static enum sluice_status agree(struct viommu *viommu)
{
    const uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

    viommu->transport->status_set(viommu, VIRTIO_STATUS_ACKNOWLEDGE);
    viommu->transport->status_set(viommu, status);
    if ((viommu->transport->features(viommu) & viommu->capability.features) !=
        viommu->capability.features) {
        log_error(viommu->unit.sluice, "%s: it offers fewer features than before",
                  viommu->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    viommu->transport->features_set(viommu, viommu->capability.features);
    viommu->transport->status_set(viommu, status | VIRTIO_STATUS_FEATURES_OK);
    if ((viommu->transport->status(viommu) & VIRTIO_STATUS_FEATURES_OK) != 0)
        return SLUICE_OK;
    log_error(viommu->unit.sluice, "%s: it does not take features %#llx of %#llx",
              viommu->unit.name, (unsigned long long)viommu->capability.features,
              (unsigned long long)viommu->capability.offered);
    return SLUICE_ERR_UNSUPPORTED;
}

static void queues_enable(struct viommu *viommu, bool enable)
{
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);

    viommu->queue.enabled = enable;
    sluice_spin_unlock(&viommu->lock, irq);
    irq = sluice_spin_lock(&viommu->log_lock);
    viommu->events.enabled = enable;
    sluice_spin_unlock(&viommu->log_lock, irq);
}

static enum sluice_status place_queues(struct viommu *viommu)
{
    struct viommu_place place;
    enum sluice_status status;

    viommu_queue_reset(viommu);
    viommu_events_reset(viommu);
    viommu_queue_place(viommu, &place);
    status = viommu->transport->queue_set(viommu, VIOMMU_REQUESTS, &place);
    if (status != SLUICE_OK)
        return status;
    viommu_events_place(viommu, &place);
    return viommu->transport->queue_set(viommu, VIOMMU_EVENTS, &place);
}

/* Writes `bypass` and sees that it is so. */
static enum sluice_status bypass_set(struct viommu *viommu, uint8_t bypass)
{
    uint8_t found;

    if (!viommu_has(viommu, VIOMMU_F_BYPASS_CONFIG))
        return SLUICE_OK;
    viommu->transport->config_write8(viommu, VIOMMU_CONFIG_BYPASS, bypass);
    found = viommu->transport->config_read8(viommu, VIOMMU_CONFIG_BYPASS);
    if (found == bypass)
        return SLUICE_OK;
    log_error(viommu->unit.sluice, "%s: bypass stays %u", viommu->unit.name, (unsigned)found);
    return SLUICE_ERR_HARDWARE;
}

/* `again`: after sleep, when nobody may do DMA yet. */
static enum sluice_status bring_up(struct viommu *viommu, bool again)
{
    enum sluice_status status = reset(viommu);

    if (status == SLUICE_OK)
        status = agree(viommu);
    /* Power may have been lost, and bypass with it: nobody passes while the rest is done, which may
     * fail. */
    if (status == SLUICE_OK && again)
        status = bypass_set(viommu, 0);
    if (status != SLUICE_OK)
        return status;
    viommu->transport->enable(viommu);
    viommu_event_on(viommu);
    status = place_queues(viommu);
    if (status != SLUICE_OK)
        return status;
    viommu->transport->status_set(viommu, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
                                              VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
    queues_enable(viommu, true);
    viommu->transport->notify(viommu, VIOMMU_EVENTS);
    status = viommu_endpoints_restore(viommu, !again);
    if (status != SLUICE_OK || again)
        return status;
    viommu->bypass_taken = true;
    return bypass_set(viommu, 0);
}

/* `bypass` may be written only once features are agreed on, which power may have taken back. */
static enum sluice_status bypass_put_back(struct viommu *viommu)
{
    bool agreed = (viommu->transport->status(viommu) & VIRTIO_STATUS_FEATURES_OK) != 0;
    enum sluice_status status = agreed ? SLUICE_OK : reset(viommu);

    if (!agreed && status == SLUICE_OK)
        status = agree(viommu);
    return status == SLUICE_OK ? bypass_set(viommu, viommu->bypass) : status;
}

/* Off: bypass as it was found, and a device that reaches nothing of ours. */
static enum sluice_status take_down(struct viommu *viommu)
{
    bool ready = (viommu->transport->status(viommu) & VIRTIO_STATUS_DRIVER_OK) != 0;
    enum sluice_status bypass = SLUICE_OK;
    enum sluice_status status;

    viommu_event_off(viommu, true);
    if (viommu->bypass_taken)
        bypass = bypass_put_back(viommu);
    viommu->bypass_taken = false;
    if (ready && viommu->queue.enabled && !viommu->queue.dead)
        viommu_endpoints_release(viommu);
    queues_enable(viommu, false);
    status = reset(viommu);
    return status != SLUICE_OK ? status : bypass;
}

enum sluice_status viommu_start(struct unit *unit)
{
    struct viommu *viommu = viommu_of(unit);
    enum sluice_status status;

    viommu->touched = true;
    if (viommu_has(viommu, VIOMMU_F_BYPASS_CONFIG))
        viommu->bypass = viommu->transport->config_read8(viommu, VIOMMU_CONFIG_BYPASS) & 1u;
    status = bring_up(viommu, false);
    if (status != SLUICE_OK) {
        unit->exposed = take_down(viommu) != SLUICE_OK;
        if (unit->exposed)
            unit_degrade(unit, "start failed, and the unit could not be put back");
        return status;
    }
    unit->started = true;
    unit->exposed = false;
    log_info(unit->sluice, "%s: translation on, %u-bit IOVA, by requests over %s", unit->name,
             unit->caps.iova_bits, viommu->transport->name);
    return SLUICE_OK;
}

enum sluice_status viommu_stop(struct unit *unit)
{
    struct viommu *viommu = viommu_of(unit);
    enum sluice_status status = take_down(viommu);

    return unit_stopped(unit, status);
}

/* Translation stays on: turning it off would block devices, or open memory, until power is lost. */
enum sluice_status viommu_suspend(struct unit *unit)
{
    struct viommu *viommu = viommu_of(unit);
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (!unit->started)
        return SLUICE_ERR_STATE;
    viommu_event_off(viommu, false);
    (void)viommu_faults_drain(unit, unit_fault_deliver, unit);
    irq = sluice_spin_lock(&viommu->lock);
    status = viommu_settle_locked(viommu, viommu->queue.next);
    sluice_spin_unlock(&viommu->lock, irq);
    if (status != SLUICE_OK)
        unit_degrade(unit, "it did not come to rest before suspend");
    return status;
}

enum sluice_status viommu_resume(struct unit *unit)
{
    struct viommu *viommu = viommu_of(unit);
    enum sluice_status status;

    queues_enable(viommu, false);
    status = bring_up(viommu, true);
    if (status != SLUICE_OK) {
        viommu_event_off(viommu, false);
        queues_enable(viommu, false);
    }
    return unit_resumed(unit, status);
}
