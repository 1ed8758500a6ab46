// SPDX-License-Identifier: MIT
/*
 * The overview as JSON [RFC 8259] and in the text format of Prometheus.
 */
#include "instance/overview.h"

#define LINE_BYTES 320u
#define NAME_BYTES OVERVIEW_NAME_BYTES

struct writer {
    struct sluice *sluice;
    sluice_emit *emit;
    void *arg;
};

static __attribute__((format(printf, 2, 3))) void put(const struct writer *writer,
                                                      const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    writer->emit(writer->arg, line);
}

/** A text inside quotes: control characters as \u00xx where `json`, else as spaces. */
static const char *escaped(const char *text, bool json, char out[NAME_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (; *text != 0 && at + 7 < NAME_BYTES; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            out[at++] = '\\';
            out[at++] = (char)c;
        } else if (c >= 0x20 && c < 0x7f) {
            out[at++] = (char)c;
        } else if (json) { /* bytes above 7Fh too: what encoding they are in nobody said */
            out[at++] = '\\';
            out[at++] = 'u';
            out[at++] = '0';
            out[at++] = '0';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15u];
        } else {
            out[at++] = ' ';
        }
    }
    out[at] = 0;
    return out;
}

const char *overview_escape(const char *text, bool json, char out[OVERVIEW_NAME_BYTES])
{
    return escaped(text, json, out);
}

/** One number of the overview, by its names in both forms. */
struct number {
    const char *key;    /**< JSON */
    const char *metric; /**< Prometheus, without "sluice_" */
    const char *help;
    uint16_t offset; /**< in struct sluice_overview */
    bool wide;       /**< of 64 bits, else 32 */
    bool counts;     /**< a counter, else a gauge */
};

#define NUMBER(key, metric, field, counts, help)                                                   \
    {                                                                                              \
        key, metric, help, offsetof(struct sluice_overview, field),                                \
            sizeof(((struct sluice_overview *)0)->field) == 8, counts                              \
    }

static const struct number numbers[] = {
    NUMBER("degraded_units", "units_degraded", degraded, false, "Units that missed a deadline"),
    NUMBER("selftests_passed", "selftests_passed", selftest_ok, false,
           "Units whose last self-test passed"),
    NUMBER("selftests_failed", "selftests_failed", selftest_bad, false,
           "Units whose last self-test failed or showed nothing"),
    NUMBER("selftests_missing", "selftests_missing", selftest_none, false,
           "Units without a self-test"),
    NUMBER("groups", "groups", groups, false, "Isolation groups"),
    NUMBER("domains", "domains", domains, false, "Domains"),
    NUMBER("attached_devices", "devices_attached", attached, false, "Devices in a domain"),
    NUMBER("untrusted_devices", "devices_untrusted", untrusted, false,
           "Devices that are not trusted"),
    NUMBER("troubled_devices", "devices_troubled", troubled, false,
           "Devices that faulted within their window"),
    NUMBER("quarantined_devices", "devices_quarantined", quarantined, false,
           "Devices that are cut off"),
    NUMBER("silenced_devices", "devices_silenced", silenced, false,
           "Devices whose faults are not reported now"),
    NUMBER("mappings", "dma_mappings", mappings, false, "Live mappings of the DMA API"),
    NUMBER("mapped_bytes", "dma_mapped_bytes", mapped_bytes, false, "Bytes in live mappings"),
    NUMBER("table_bytes", "page_table_bytes", table_bytes, false, "Memory held by page tables"),
    NUMBER("strict_flushes", "invalidations_strict_total", strict_flushes, true,
           "Invalidations that an unmap waited for"),
    NUMBER("lazy_flushes", "invalidations_lazy_total", lazy_flushes, true,
           "Invalidations for a queue of ranges"),
    NUMBER("queued_ranges", "invalidation_queued_ranges", queued, false,
           "Ranges that wait for one"),
    NUMBER("withheld_pages", "withheld_pages", withheld_pages, false,
           "Pages that a unit did not confirm to have let go of"),
    NUMBER("faults", "faults_total", faults.faults, true, "Faults that units reported"),
    NUMBER("fault_records_overwritten", "fault_records_overwritten_total", faults.overwritten, true,
           "Faults that never got into the log"),
    NUMBER("quarantines", "quarantines_total", faults.quarantines, true, "Devices cut off so far"),
    NUMBER("recoveries", "recoveries_total", faults.recoveries, true,
           "Devices brought back so far"),
    NUMBER("silences", "fault_silences_total", faults.silences, true,
           "Sources whose faults were not reported for a while"),
    NUMBER("interrupt_entries", "interrupt_entries", interrupts.entries, false,
           "Interrupt remapping entries"),
    NUMBER("interrupt_entries_used", "interrupt_entries_used", interrupts.used, false,
           "Of them, allocated"),
    NUMBER("bounce_bytes", "bounce_bytes", bounce.bytes, false, "Bounce memory held"),
    NUMBER("bounce_used_bytes", "bounce_used_bytes", bounce.used_bytes, false,
           "Of it, in mappings"),
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static unsigned long long value_of(const struct sluice_overview *overview,
                                   const struct number *number)
{
    const uint8_t *at = (const uint8_t *)overview + number->offset;

    return number->wide ? *(const uint64_t *)(const void *)at : *(const uint32_t *)(const void *)at;
}

static const char *state_text(enum sluice_device_state state)
{
    static const char *const words[] = {
        [SLUICE_DEVICE_OPERATIONAL] = "operational",
        [SLUICE_DEVICE_DEGRADED] = "degraded",
        [SLUICE_DEVICE_QUARANTINED] = "quarantined",
    };

    return words[state];
}

static bool last_of(const struct list_node *node, const struct list_node *list)
{
    return node->next == list;
}

/* ---- JSON ---- */

static void json_units(const struct writer *writer)
{
    const struct list_node *list = &writer->sluice->units;
    char name[NAME_BYTES];

    put(writer, "  \"units\": [");
    if (instance_is_listed(writer->sluice)) {
        list_for_each(node, list)
        {
            const struct unit *unit = container_of(node, struct unit, node);
            bool degraded = atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0;

            put(writer,
                "    {\"name\": \"%s\", \"driver\": \"%s\", \"segment\": %u, \"base\": %llu, "
                "\"translating\": %s, \"degraded\": %s}%s",
                escaped(unit->name, true, name), unit->ops->driver, (unsigned)unit->desc->segment,
                (unsigned long long)unit->desc->base, unit->started ? "true" : "false",
                degraded ? "true" : "false", last_of(node, list) ? "" : ",");
        }
    }
    put(writer, "  ],");
}

static void json_device(const struct writer *writer, struct sluice_device *device, bool last)
{
    char label[NAME_BYTES], name[NAME_BYTES];
    uint64_t faults;
    enum sluice_device_state state = overview_state_of(device, &faults);

    put(writer, "    {\"device\": \"%s\", \"name\": \"%s\", \"unit\": \"%s\", \"state\": \"%s\",",
        escaped(device->label, true, label), escaped(device->name, true, name), device->unit->name,
        state_text(state));
    put(writer, "     \"domain\": \"%s\", \"untrusted\": %s, \"faults\": %llu}%s",
        escaped(device->domain != NULL ? device->domain->name : "", true, name),
        device->untrusted ? "true" : "false", (unsigned long long)faults, last ? "" : ",");
}

static void json_devices(const struct writer *writer)
{
    const struct list_node *list = &writer->sluice->devices;

    put(writer, "  \"devices\": [");
    if (instance_is_listed(writer->sluice)) {
        list_for_each(node, list) json_device(
            writer, container_of(node, struct sluice_device, node), last_of(node, list));
    }
    put(writer, "  ],");
}

void sluice_overview_json(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct writer writer = {sluice, emit, arg};
    struct sluice_overview overview = {0};
    sluice_irqstate_t irq;

    if (sluice == NULL || emit == NULL)
        return;
    overview_gather(sluice, &overview);
    irq = sluice_spin_lock(&sluice->lock);
    overview_gather_locked(sluice, &overview);
    put(&writer, "{");
    put(&writer, "  \"enabled\": %s,", overview.enabled ? "true" : "false");
    put(&writer, "  \"interrupts_remapped\": %s,", overview.interrupts.remapped ? "true" : "false");
    json_units(&writer);
    overview_selftests_json_locked(sluice, emit, arg);
    json_devices(&writer);
    for (size_t i = 0; i < NUMBERS; i++)
        put(&writer, "  \"%s\": %llu%s", numbers[i].key, value_of(&overview, &numbers[i]),
            i + 1 == NUMBERS ? "" : ",");
    put(&writer, "}");
    sluice_spin_unlock(&sluice->lock, irq);
}

/* ---- Prometheus ---- */

static void head(const struct writer *writer, const char *metric, const char *help, bool counts)
{
    put(writer, "# HELP sluice_%s %s.", metric, help);
    put(writer, "# TYPE sluice_%s %s", metric, counts ? "counter" : "gauge");
}

static void prometheus_units(const struct writer *writer)
{
    char name[NAME_BYTES];

    head(writer, "unit_translating", "Whether a unit translates", false);
    if (!instance_is_listed(writer->sluice))
        return;
    list_for_each(node, &writer->sluice->units)
    {
        const struct unit *unit = container_of(node, struct unit, node);

        put(writer, "sluice_unit_translating{unit=\"%s\",driver=\"%s\"} %u",
            escaped(unit->name, false, name), unit->ops->driver, unit->started ? 1u : 0u);
    }
}

static void prometheus_devices(const struct writer *writer)
{
    char label[NAME_BYTES], name[NAME_BYTES];
    uint64_t faults;

    if (!instance_is_listed(writer->sluice))
        return;
    head(writer, "device_faults", "Faults of a device since it was added or recovered", false);
    list_for_each(node, &writer->sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        (void)overview_state_of(device, &faults);
        put(writer, "sluice_device_faults{device=\"%s\",name=\"%s\"} %llu",
            escaped(device->label, false, label), escaped(device->name, false, name),
            (unsigned long long)faults);
    }
    head(writer, "device_state", "0 operational, 1 degraded, 2 quarantined", false);
    list_for_each(node, &writer->sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        put(writer, "sluice_device_state{device=\"%s\",name=\"%s\"} %u",
            escaped(device->label, false, label), escaped(device->name, false, name),
            (unsigned)overview_state_of(device, &faults));
    }
}

void sluice_overview_prometheus(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct writer writer = {sluice, emit, arg};
    struct sluice_overview overview = {0};
    sluice_irqstate_t irq;

    if (sluice == NULL || emit == NULL)
        return;
    overview_gather(sluice, &overview);
    irq = sluice_spin_lock(&sluice->lock);
    overview_gather_locked(sluice, &overview);
    head(&writer, "enabled", "Whether every device's DMA is confined", false);
    put(&writer, "sluice_enabled %u", overview.enabled ? 1u : 0u);
    prometheus_units(&writer);
    overview_selftests_prometheus_locked(sluice, emit, arg);
    prometheus_devices(&writer);
    for (size_t i = 0; i < NUMBERS; i++) {
        head(&writer, numbers[i].metric, numbers[i].help, numbers[i].counts);
        put(&writer, "sluice_%s %llu", numbers[i].metric, value_of(&overview, &numbers[i]));
    }
    sluice_spin_unlock(&sluice->lock, irq);
}
