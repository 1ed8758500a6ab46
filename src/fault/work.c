// SPDX-License-Identifier: MIT
/*
 * What is done about faults, outside interrupts: devices with too many are cut off, subscribers are
 * told.
 */
#include "fault/work.h"

#define WORK_ROUNDS 4u /* that one call does while faults go on coming */

/* ---- from interrupts ---- */

static void deferred_work(void *arg)
{
    struct sluice *sluice = arg;
    struct fault_center *center = sluice->faults;
    uint64_t begin = host_now_ns(sluice);

    /* Before the work: what becomes due during it asks for a call of its own. */
    atomic_store_explicit(&center->asked, 0, memory_order_seq_cst);
    fault_work(sluice);
    (void)fault_time_spend(sluice, begin);
    /* Release: nothing of the instance is touched any more; pairs with fault_center_is_used. */
    atomic_fetch_sub_explicit(&center->owed, 1, memory_order_release);
}

/** Asks the host for a call, unless one is on its way, or a poll that will do the work. */
static void ask_for_call(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;

    /*
     * A poll leaves `pollers` before it looks at `due`, and `due` was raised before this look at
     * `pollers`. All four are sequentially consistent: whoever is still seen here sees `due` then.
     */
    if (sluice->ops->defer == NULL ||
        atomic_load_explicit(&sluice->pollers, memory_order_seq_cst) != 0 ||
        atomic_exchange_explicit(&center->asked, 1, memory_order_seq_cst) != 0)
        return;
    atomic_fetch_add_explicit(&center->owed, 1, memory_order_relaxed);
    if (sluice->ops->defer(sluice->config.ctx, deferred_work, sluice))
        return;
    /* The next fault asks again. */
    atomic_store_explicit(&center->asked, 0, memory_order_seq_cst);
    atomic_fetch_sub_explicit(&center->owed, 1, memory_order_release);
}

void fault_observe(struct sluice *sluice, const struct sluice_fault *fault)
{
    struct fault_center *center = sluice->faults;
    struct watch *watch = watch_find(&center->watches, fault->unit, fault->source);

    if (watch == NULL)
        watch =
            watch_stranger(&center->watches, fault->unit, fault->source, &center->stranger_limits);
    if (watch == &center->watches.crowd)
        atomic_store_explicit(&center->crowded, 1, memory_order_relaxed);
    fault_log_put(&center->log, fault);
    if (fault->records_lost)
        atomic_fetch_add_explicit(&center->hardware_losses, 1, memory_order_relaxed);
    (void)watch_count(watch, fault->time_ns);
    /* Release: the watch's word is there; pairs with the acquire in flood_work. */
    if (watch_flood(watch, fault->time_ns))
        atomic_store_explicit(&center->floods, 1, memory_order_release);
    lines_keep(center, watch, fault);
    atomic_store_explicit(&center->due, 1, memory_order_seq_cst);
    ask_for_call(sluice);
}

/* ---- devices with too many ---- */

static bool device_tripped(const struct sluice_device *device)
{
    bool tripped = false;

    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        tripped = tripped || (watch != NULL &&
                              atomic_load_explicit(&watch->tripped, memory_order_acquire) != 0);
    }
    return tripped;
}

/** Whom to cut off, and what the log says of it. */
struct cut {
    bool (*is_due)(const struct sluice_device *device);
    const char *why;
};

/** The first device that has to be cut off; cuts it off. */
static struct sluice_device *cut_one_off(struct sluice *sluice, const struct cut *cut)
{
    struct sluice_device *found = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

    if (sluice->state == INSTANCE_STARTED) {
        list_for_each(node, &sluice->devices)
        {
            struct sluice_device *device = container_of(node, struct sluice_device, node);

            if (found == NULL && !device->quarantined && cut->is_due(device))
                found = device;
        }
        if (found != NULL) {
            quarantine_locked(found, cut->why);
            found->held++; /* until its owner was told */
        }
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return found;
}

static void cut_off(struct sluice *sluice, const struct cut *cut)
{
    const struct sluice_config *config = &sluice->config;
    struct sluice_device *device;
    sluice_irqstate_t irq;

    while ((device = cut_one_off(sluice, cut)) != NULL) {
        if (config->on_quarantine != NULL)
            config->on_quarantine(config->on_quarantine_arg, device, SLUICE_DEVICE_QUARANTINED);
        irq = sluice_spin_lock(&sluice->lock);
        device->held--;
        sluice_spin_unlock(&sluice->lock, irq);
    }
}

static bool device_refused(const struct sluice_device *device)
{
    bool refused = false;

    for (unsigned i = 0; i < device->source_count; i++)
        refused = refused || source_is_refused(device->sources[i]);
    return refused;
}

void quarantine_refused(struct sluice *sluice)
{
    cut_off(sluice, &(struct cut){device_refused, "its unit did not take it back after sleep"});
}

/* ---- telling ---- */

/**
 * Holds the first subscription of at least this order; NULL past the last. Not "the one behind":
 * while a subscriber is called its neighbours may go, and it too.
 */
static struct sluice_fault_subscription *subscriber_hold(struct fault_center *center,
                                                         uint64_t order)
{
    struct sluice_fault_subscription *found = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&center->lock);

    list_for_each(node, &center->subscribers)
    {
        struct sluice_fault_subscription *subscription =
            container_of(node, struct sluice_fault_subscription, node);

        if (subscription->order < order)
            continue;
        atomic_fetch_add_explicit(&subscription->calls, 1, memory_order_relaxed);
        found = subscription;
        break;
    }
    sluice_spin_unlock(&center->lock, irq);
    return found;
}

/** Release: the subscriber is not running; pairs with sluice_fault_unsubscribe. */
static void subscriber_let_go(struct sluice_fault_subscription *subscription)
{
    atomic_fetch_sub_explicit(&subscription->calls, 1, memory_order_release);
}

static void tell(struct sluice *sluice, struct sluice_fault_subscription *subscription)
{
    struct fault_log *log = &sluice->faults->log;
    uint64_t end = fault_log_end(log);
    struct sluice_fault_record record;

    /* No further than what there is now: a storm must not keep one subscriber for ever. */
    while (subscription->cursor < end &&
           atomic_load_explicit(&subscription->ended, memory_order_relaxed) == 0) {
        record = (struct sluice_fault_record){0};
        if (!fault_log_get(log, &subscription->cursor, &record.fault, &subscription->lost))
            break;
        record.number = subscription->cursor - 1;
        fault_describe(sluice, &record);
        subscription->subscriber(subscription->arg, &record, subscription->lost);
        subscription->lost = 0;
    }
}

static void tell_all(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;
    struct sluice_fault_subscription *subscription;

    for (uint64_t order = 0; (subscription = subscriber_hold(center, order)) != NULL;) {
        order = subscription->order + 1;
        tell(sluice, subscription);
        subscriber_let_go(subscription);
    }
}

/* ---- one at a time ---- */

void fault_work(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;
    unsigned rounds = 0;

    /* Whoever finds somebody at it leaves it to them: they look at `due` again before they go. */
    while (atomic_load_explicit(&center->due, memory_order_seq_cst) != 0) {
        /* Faults without end must not keep the caller: the rest is another call's. */
        if (rounds++ == WORK_ROUNDS) {
            ask_for_call(sluice);
            return;
        }
        if (atomic_exchange_explicit(&center->working, 1, memory_order_seq_cst) != 0)
            return;
        atomic_store_explicit(&center->due, 0, memory_order_seq_cst);
        cut_off(sluice, &(struct cut){device_tripped, "too many faults"});
        flood_work(sluice);
        lines_work(sluice);
        tell_all(sluice);
        fault_timer_set(sluice);
        atomic_store_explicit(&center->working, 0, memory_order_seq_cst);
    }
}
