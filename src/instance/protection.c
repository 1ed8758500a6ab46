// SPDX-License-Identifier: MIT
/*
 * Protection levels of the instance (sluice/protection.h): which one holds, and how it changes.
 */
#include "dma/dma.h"
#include "instance/units.h"

const char *sluice_protection_text(enum sluice_protection level)
{
    static const char *const names[] = {
        [SLUICE_PROTECTION_DEFAULT] = "default", [SLUICE_PROTECTION_DISABLED] = "disabled",
        [SLUICE_PROTECTION_BASIC] = "basic",     [SLUICE_PROTECTION_STANDARD] = "standard",
        [SLUICE_PROTECTION_STRICT] = "strict",
    };

    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "unknown";
}

enum sluice_protection sluice_protection(struct sluice *sluice)
{
    enum sluice_protection level;
    sluice_irqstate_t irq;

    if (sluice == NULL)
        return SLUICE_PROTECTION_DISABLED;
    irq = sluice_spin_lock(&sluice->lock);
    level = sluice->level;
    sluice_spin_unlock(&sluice->lock, irq);
    return level;
}

enum sluice_protection protection_resolve(const struct sluice *sluice, enum sluice_protection level)
{
    if (level != SLUICE_PROTECTION_DEFAULT)
        return level;
    return sluice->host_asked_remapping ? SLUICE_PROTECTION_STANDARD : SLUICE_PROTECTION_BASIC;
}

void protection_check_dma(struct obstacle_sink *sink)
{
    const char *name;

    if (sink->level != SLUICE_PROTECTION_STRICT)
        return;
    for (unsigned i = 0; dma_unprotected_at(sink->sluice, i, &name); i++)
        obstacle_tell(
            sink, &(struct sluice_obstacle){.kind = SLUICE_OBSTACLE_UNPROTECTED_DMA, .name = name},
            "the DMA API is open without an IOMMU, as %s", name);
}

/** Everything that keeps the instance from a level; it runs, and sluice->lock is held. */
static enum sluice_status check_running(struct obstacle_sink *sink)
{
    level_check_demands(sink);
    level_check_use(sink);
    protection_check_dma(sink);
    if (sink->missing != 0)
        return SLUICE_ERR_UNSUPPORTED;
    return sink->in_use != 0 ? SLUICE_ERR_BUSY : SLUICE_OK;
}

enum sluice_status sluice_protection_check(struct sluice *sluice, enum sluice_protection level,
                                           sluice_obstacle_handler *handler, void *arg)
{
    struct obstacle_sink sink = {.handler = handler, .arg = arg, .quiet = true};
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || (unsigned)level > SLUICE_PROTECTION_STRICT)
        return SLUICE_ERR_INVALID;
    sink.sluice = sluice;
    sink.level = protection_resolve(sluice, level);
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = check_running(&sink);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

/** Between levels that are on: a promise more or less, and nothing in the hardware. */
static enum sluice_status set_running_locked(struct sluice *sluice, enum sluice_protection level)
{
    struct obstacle_sink sink = {.sluice = sluice,
                                 .level = level,
                                 .handler = sluice->config.on_obstacle,
                                 .arg = sluice->config.on_obstacle_arg};
    enum sluice_status status = check_running(&sink);

    if (status == SLUICE_OK && level != sluice->level) {
        log_info(sluice, "protection level %s, was %s", sluice_protection_text(level),
                 sluice_protection_text(sluice->level));
        sluice->level = level;
    }
    return status;
}

static enum sluice_status turn_on(struct sluice *sluice, enum sluice_protection level)
{
    enum instance_state was;
    enum sluice_status status = instance_change_begin(sluice, INSTANCE_IN(INSTANCE_DISABLED), &was);

    if (status != SLUICE_OK)
        return status;
    status = instance_turn_on(sluice, level);
    instance_change_end(sluice, status == SLUICE_OK ? INSTANCE_STARTED : INSTANCE_DISABLED);
    return status;
}

static enum sluice_status turn_off(struct sluice *sluice)
{
    struct obstacle_sink sink = {.sluice = sluice,
                                 .level = SLUICE_PROTECTION_DISABLED,
                                 .handler = sluice->config.on_obstacle,
                                 .arg = sluice->config.on_obstacle_arg};
    enum instance_state was;
    enum sluice_status status = instance_change_begin(sluice, INSTANCE_IN(INSTANCE_STARTED), &was);

    if (status != SLUICE_OK)
        return status;
    level_check_use(&sink);
    if (sink.in_use != 0) {
        instance_change_end(sluice, was);
        return SLUICE_ERR_BUSY;
    }
    status = instance_turn_off(sluice);
    if (status == SLUICE_OK) {
        sluice->level = SLUICE_PROTECTION_DISABLED;
        log_warning(sluice, "protection level disabled: devices reach all of memory");
    }
    instance_change_end(sluice, status == SLUICE_OK ? INSTANCE_DISABLED : INSTANCE_HALF_STOPPED);
    return status;
}

enum sluice_status sluice_protection_set(struct sluice *sluice, enum sluice_protection level)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    enum instance_state state;
    sluice_irqstate_t irq;

    if (sluice == NULL || (unsigned)level > SLUICE_PROTECTION_STRICT)
        return SLUICE_ERR_INVALID;
    level = protection_resolve(sluice, level);
    irq = sluice_spin_lock(&sluice->lock);
    state = sluice->state;
    if (state == INSTANCE_STOPPED) {
        sluice->level = level;
        status = SLUICE_OK;
    } else if (state == INSTANCE_STARTED && level != SLUICE_PROTECTION_DISABLED) {
        status = set_running_locked(sluice, level);
    } else if (state == INSTANCE_DISABLED && level == SLUICE_PROTECTION_DISABLED) {
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    if (state == INSTANCE_DISABLED && level != SLUICE_PROTECTION_DISABLED)
        status = turn_on(sluice, level);
    else if (state == INSTANCE_STARTED && level == SLUICE_PROTECTION_DISABLED)
        status = turn_off(sluice);
    return status;
}
