// SPDX-License-Identifier: MIT
/*
 * The overview in the text format of Prometheus: a family of metrics after the other, each with its
 * HELP and TYPE. Names of domains are no labels: two may have the same.
 */
#include "instance/overview.h"

static void head(const struct overview_writer *writer, const char *metric, const char *help,
                 const char *type)
{
    overview_put(writer, "# HELP sluice_%s %s.", metric, help);
    overview_put(writer, "# TYPE sluice_%s %s", metric, type);
}

/* ---- units ---- */

typedef void unit_sample(const struct overview_writer *writer, const struct unit *unit,
                         const char *name);

static void sample_info(const struct overview_writer *writer, const struct unit *unit,
                        const char *name)
{
    const struct unit_caps *caps = &unit->caps;

    overview_put(writer,
                 "sluice_unit_info{unit=\"%s\",driver=\"%s\",segment=\"%04x\",iova_bits=\"%u\","
                 "phys_bits=\"%u\",coherent=\"%u\",pass_through=\"%u\",queued=\"%u\",ats=\"%u\"} 1",
                 name, unit->ops->driver, (unsigned)unit->desc->segment, caps->iova_bits,
                 caps->phys_bits, (unsigned)caps->coherent, (unsigned)caps->pass_through,
                 (unsigned)caps->queued, (unsigned)caps->ats);
}

static void sample_translating(const struct overview_writer *writer, const struct unit *unit,
                               const char *name)
{
    overview_put(writer, "sluice_unit_translating{unit=\"%s\"} %u", name, unit->started ? 1u : 0u);
}

static void sample_degraded(const struct overview_writer *writer, const struct unit *unit,
                            const char *name)
{
    bool degraded = atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0;

    overview_put(writer, "sluice_unit_degraded{unit=\"%s\"} %u", name, degraded ? 1u : 0u);
}

#define LATENCY "invalidation_latency_seconds"

/** Seconds, which the format wants, as a decimal fraction. */
#define SECONDS           "%llu.%09llu"
#define SECONDS_ARGS(ns_) (ns_) / 1000000000u, (ns_) % 1000000000u

/** Each bucket counts those before it too. */
static void sample_latency(const struct overview_writer *writer, const struct unit *unit,
                           const char *name)
{
    struct sluice_latency latency = {0};
    unsigned long long below = 0, sum;

    unit_latency_add(unit, &latency);
    sum = latency.sum_ns;
    for (unsigned i = 0; i + 1 < SLUICE_LATENCY_BUCKETS; i++) {
        unsigned long long most = 1ull << (SLUICE_LATENCY_FIRST_LG2 + i);

        below += latency.buckets[i];
        overview_put(writer, "sluice_" LATENCY "_bucket{unit=\"%s\",le=\"" SECONDS "\"} %llu", name,
                     SECONDS_ARGS(most), below);
    }
    overview_put(writer, "sluice_" LATENCY "_bucket{unit=\"%s\",le=\"+Inf\"} %llu", name,
                 (unsigned long long)latency.count);
    overview_put(writer, "sluice_" LATENCY "_sum{unit=\"%s\"} " SECONDS, name, SECONDS_ARGS(sum));
    overview_put(writer, "sluice_" LATENCY "_count{unit=\"%s\"} %llu", name,
                 (unsigned long long)latency.count);
}

static __attribute__((noinline)) void put_units(const struct overview_writer *writer)
{
    static const struct {
        const char *metric, *help, *type;
        unit_sample *sample;
    } families[] = {
        {"unit_info", "What a unit is and can", "gauge", sample_info},
        {"unit_translating", "Whether a unit translates", "gauge", sample_translating},
        {"unit_degraded", "Whether a unit missed a deadline", "gauge", sample_degraded},
        {LATENCY, "From the submission of invalidations until they were seen complete", "histogram",
         sample_latency},
    };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        head(writer, families[i].metric, families[i].help, families[i].type);
        if (!instance_is_listed(writer->sluice))
            continue;
        list_for_each(node, &writer->sluice->units)
        {
            const struct unit *unit = container_of(node, struct unit, node);
            char name[OVERVIEW_NAME_BYTES];

            families[i].sample(writer, unit, overview_escaped(unit->name, false, name));
        }
    }
}

/* ---- devices ---- */

static __attribute__((noinline)) void put_devices_family(const struct overview_writer *writer,
                                                         bool faults)
{
    char label[OVERVIEW_NAME_BYTES], name[OVERVIEW_NAME_BYTES];

    list_for_each(node, &writer->sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);
        uint64_t count;
        enum sluice_device_state state = overview_state_of(device, &count);

        overview_put(writer, "sluice_device_%s{device=\"%s\",name=\"%s\"} %llu",
                     faults ? "faults" : "state", overview_escaped(device->label, false, label),
                     overview_escaped(device->name, false, name),
                     faults ? (unsigned long long)count : (unsigned long long)state);
    }
}

static void put_devices(const struct overview_writer *writer)
{
    bool listed = instance_is_listed(writer->sluice);

    head(writer, "device_faults", "Faults of a device since it was added or recovered", "gauge");
    if (listed)
        put_devices_family(writer, true);
    head(writer, "device_state", "0 operational, 1 degraded, 2 quarantined", "gauge");
    if (listed)
        put_devices_family(writer, false);
}

void sluice_overview_prometheus(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct overview_writer writer = {sluice, emit, arg};
    struct sluice_overview overview = {0};
    const struct overview_number *number;
    sluice_irqstate_t irq;

    if (sluice == NULL || emit == NULL)
        return;
    overview_gather(sluice, &overview);
    irq = sluice_spin_lock(&sluice->lock);
    overview_gather_locked(sluice, &overview);
    head(&writer, "enabled", "Whether every device's DMA is confined", "gauge");
    overview_put(&writer, "sluice_enabled %u", overview.enabled ? 1u : 0u);
    head(&writer, "level_info", "The protection level that is promised", "gauge");
    overview_put(&writer, "sluice_level_info{level=\"%s\"} 1",
                 sluice_protection_text(overview.level));
    put_units(&writer);
    overview_selftests_prometheus_locked(sluice, emit, arg);
    put_devices(&writer);
    for (unsigned i = 0; (number = overview_number(i)) != NULL; i++) {
        head(&writer, number->metric, number->help, number->counts ? "counter" : "gauge");
        overview_put(&writer, "sluice_%s %llu", number->metric, overview_value(&overview, number));
    }
    sluice_spin_unlock(&sluice->lock, irq);
}
