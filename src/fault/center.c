// SPDX-License-Identifier: MIT
/*
 * The instance's part: made and freed with it; subscriptions, counts, watches of new devices.
 */
#include "fault/work.h"

#define DEFAULT_RECORDS   256u
#define RECORDS_MOST      65536u
#define DEFAULT_MOST      10u
#define DEFAULT_WINDOW_NS ((uint64_t)10000000000)
#define DEFAULT_FLOOD     1000u
#define DEFAULT_FLOOD_NS  ((uint64_t)1000000000)
#define DEFAULT_SILENCE   ((uint64_t)10000000000)
#define DEFAULT_LINES     5u
#define DEFAULT_SHARE     10u /* percent */
#define DEFAULT_LINES_NS  ((uint64_t)10000000000)

static uint64_t records_wanted(const struct sluice_config *config)
{
    uint64_t wanted = config->fault_log_records != 0 ? config->fault_log_records : DEFAULT_RECORDS;
    uint64_t records = 2;

    while (records < wanted && records < RECORDS_MOST)
        records *= 2;
    return records;
}

static void fill_defaults(struct sluice_config *config)
{
    config->flood_faults = config->flood_faults != 0 ? config->flood_faults : DEFAULT_FLOOD;
    config->flood_window_ns =
        config->flood_window_ns != 0 ? config->flood_window_ns : DEFAULT_FLOOD_NS;
    config->silence_ns = config->silence_ns != 0 ? config->silence_ns : DEFAULT_SILENCE;
    config->fault_share = config->fault_share != 0 ? config->fault_share : DEFAULT_SHARE;
    config->fault_lines_window_ns =
        config->fault_lines_window_ns != 0 ? config->fault_lines_window_ns : DEFAULT_LINES_NS;
}

static unsigned lines_wanted(const struct sluice_config *config)
{
    if (config->fault_lines == SLUICE_NO_FAULT_LINES)
        return 0;
    if (config->fault_lines == 0)
        return DEFAULT_LINES;
    return config->fault_lines < WATCH_LINES ? config->fault_lines : WATCH_LINES;
}

static unsigned flood_most_of(const struct sluice_config *config)
{
    return config->flood_faults != SLUICE_FAULTS_UNLIMITED ? config->flood_faults : 0;
}

enum sluice_status fault_center_make(struct sluice *sluice)
{
    struct fault_center *center = host_alloc(sluice, sizeof(*center));
    enum sluice_status status;

    if (center == NULL)
        return SLUICE_ERR_NO_MEMORY;
    fill_defaults(&sluice->config);
    center->sluice = sluice;
    list_init(&center->subscribers);
    status = fault_log_init(sluice, &center->log, records_wanted(&sluice->config));
    if (status != SLUICE_OK) {
        host_free(sluice, center, sizeof(*center));
        return status;
    }
    atomic_init(&center->silence_end_ns, UINT64_MAX);
    atomic_init(&center->lines_next_ns, UINT64_MAX);
    center->lines_most = lines_wanted(&sluice->config);
    /* Nobody's to cut off: what is no device's is blocked already. */
    center->stranger_limits =
        (struct watch_limits){.window_ns = sluice->config.flood_window_ns,
                              .flood_most = flood_most_of(&sluice->config),
                              .flood_window_ns = sluice->config.flood_window_ns};
    sluice->faults = center;
    sluice->fault_sink = fault_observe;
    sluice->fault_policy = &fault_policy;
    return SLUICE_OK;
}

bool fault_center_is_used(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;

    /* Acquire: what the deferred calls did is done; pairs with the release at their end. */
    return atomic_load_explicit(&center->owed, memory_order_acquire) != 0 ||
           !list_empty(&center->subscribers);
}

void fault_center_forget(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;

    watches_clear(sluice, &center->watches);
    atomic_store_explicit(&center->floods, 0, memory_order_relaxed);
    atomic_store_explicit(&center->silence_end_ns, UINT64_MAX, memory_order_relaxed);
}

void fault_center_free(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;

    watches_clear(sluice, &center->watches);
    fault_log_clear(sluice, &center->log);
    host_free(sluice, center, sizeof(*center));
    sluice->faults = NULL;
}

/* ---- watches ---- */

static unsigned most_of(const struct sluice_device *device)
{
    uint32_t most =
        device->max_faults != 0 ? device->max_faults : device->sluice->config.max_faults;

    if (most == SLUICE_FAULTS_UNLIMITED)
        return 0;
    return most != 0 ? most : DEFAULT_MOST;
}

static uint64_t window_of(const struct sluice_device *device)
{
    uint64_t window = device->fault_window_ns != 0 ? device->fault_window_ns
                                                   : device->sluice->config.fault_window_ns;

    return window != 0 ? window : DEFAULT_WINDOW_NS;
}

static struct watch_limits limits_of(const struct sluice_device *device)
{
    const struct sluice_config *config = &device->sluice->config;

    return (struct watch_limits){
        .most = most_of(device),
        .window_ns = window_of(device),
        .flood_most = flood_most_of(config),
        .flood_window_ns = config->flood_window_ns,
    };
}

static enum sluice_status device_added(struct sluice_device *device)
{
    const struct watch_limits limits = limits_of(device);
    struct fault_center *center = device->sluice->faults;
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0; i < device->source_count && status == SLUICE_OK; i++)
        status = watch_get_locked(device->sluice, &center->watches, device->unit,
                                  device->sources[i]->id, &limits);
    /* Whose faults were silenced when nobody knew whose they are. Not confirmed: the unit is
     * degraded. Where others have the source too, it is theirs. */
    for (unsigned i = 0; i < device->source_count && status == SLUICE_OK; i++) {
        if (device->sources[i]->users == 1)
            (void)!source_silence_locked(device->sources[i], false);
    }
    return status;
}

const struct domain_policy fault_policy = {.device_added = device_added};

struct watch *fault_watch_of(const struct sluice_device *device, unsigned index)
{
    if (index >= device->source_count)
        return NULL;
    return watch_find(&device->sluice->faults->watches, device->unit->name,
                      device->sources[index]->id);
}

void fault_provoke_locked(struct sluice_device *device, bool on)
{
    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        if (watch != NULL)
            atomic_store_explicit(&watch->tested, on ? 1u : 0u, memory_order_relaxed);
    }
}

uint32_t fault_provoked(const struct sluice_device *device)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < device->source_count; i++) {
        struct watch *watch = fault_watch_of(device, i);

        if (watch != NULL)
            count += atomic_load_explicit(&watch->provoked, memory_order_relaxed);
    }
    return count;
}

/* ---- subscriptions ---- */

enum sluice_status sluice_fault_subscribe(struct sluice *sluice,
                                          sluice_fault_subscriber *subscriber, void *arg,
                                          struct sluice_fault_subscription **out)
{
    struct sluice_fault_subscription *subscription;
    struct fault_center *center;
    sluice_irqstate_t irq;

    if (sluice == NULL || subscriber == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    subscription = host_alloc(sluice, sizeof(*subscription));
    if (subscription == NULL)
        return SLUICE_ERR_NO_MEMORY;
    center = sluice->faults;
    subscription->center = center;
    subscription->subscriber = subscriber;
    subscription->arg = arg;
    subscription->cursor = fault_log_end(&center->log);
    irq = sluice_spin_lock(&center->lock);
    subscription->order = center->next_order++;
    list_append(&center->subscribers, &subscription->node);
    sluice_spin_unlock(&center->lock, irq);
    *out = subscription;
    return SLUICE_OK;
}

void sluice_fault_unsubscribe(struct sluice_fault_subscription *subscription)
{
    struct fault_center *center;
    sluice_irqstate_t irq;

    if (subscription == NULL)
        return;
    center = subscription->center;
    irq = sluice_spin_lock(&center->lock);
    list_remove(&subscription->node);
    sluice_spin_unlock(&center->lock, irq);
    atomic_store_explicit(&subscription->ended, 1, memory_order_relaxed);
    /* Acquire: the call it may be in is over; pairs with the release in subscriber_let_go. */
    while (atomic_load_explicit(&subscription->calls, memory_order_acquire) != 0)
        sluice_cpu_pause();
    host_free(center->sluice, subscription, sizeof(*subscription));
}

void sluice_fault_counts(struct sluice *sluice, struct sluice_fault_counts *out)
{
    struct fault_center *center;

    if (sluice == NULL || out == NULL)
        return;
    center = sluice->faults;
    *out = (struct sluice_fault_counts){
        .faults = fault_log_end(&center->log),
        .overwritten = atomic_load_explicit(&center->log.overtaken, memory_order_relaxed),
        .quarantines = atomic_load_explicit(&center->quarantines, memory_order_relaxed),
        .recoveries = atomic_load_explicit(&center->recoveries, memory_order_relaxed),
        .silences = atomic_load_explicit(&center->silences, memory_order_relaxed),
        .holds = atomic_load_explicit(&sluice->fault_budget.holds, memory_order_relaxed),
        .hardware_losses = atomic_load_explicit(&center->hardware_losses, memory_order_relaxed),
    };
}
