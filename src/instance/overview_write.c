// SPDX-License-Identifier: MIT
/*
 * What the two forms of the overview share: lines, quoted names, and the numbers of the instance.
 */
#include "instance/overview.h"

#define LINE_BYTES 640u

void overview_put(const struct overview_writer *writer, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    writer->emit(writer->arg, line);
}

const char *overview_escaped(const char *text, bool json, char out[OVERVIEW_NAME_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (; *text != 0 && at + 7 < OVERVIEW_NAME_BYTES; text++) {
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

/* ---- numbers ---- */

#define NUMBER(key, metric, field, counts, help)                                                   \
    {                                                                                              \
        key, metric, help, offsetof(struct sluice_overview, field),                                \
            sizeof(((struct sluice_overview *)0)->field) == 8, counts                              \
    }

static const struct overview_number numbers[] = {
    NUMBER("degraded_units", "units_degraded", degraded, false, "Units that missed a deadline"),
    NUMBER("selftests_passed", "selftests_passed", selftest_ok, false,
           "Units whose last self-test passed"),
    NUMBER("selftests_failed", "selftests_failed", selftest_bad, false,
           "Units whose last self-test failed or showed nothing"),
    NUMBER("selftests_missing", "selftests_missing", selftest_none, false,
           "Units without a self-test"),
    NUMBER("groups", "groups", groups, false, "Isolation groups"),
    NUMBER("shared_groups", "groups_shared", shared_groups, false,
           "Isolation groups of more than one device"),
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
    NUMBER("history_bytes", "unmap_history_bytes", history_bytes, false,
           "Memory that remembers what was unmapped lately"),
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
    NUMBER("fault_hardware_losses", "fault_hardware_losses_total", faults.hardware_losses, true,
           "Faults with which a unit said that it dropped others"),
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

const struct overview_number *overview_number(unsigned index)
{
    return index < sizeof(numbers) / sizeof(numbers[0]) ? &numbers[index] : NULL;
}

unsigned long long overview_value(const struct sluice_overview *overview,
                                  const struct overview_number *number)
{
    const uint8_t *at = (const uint8_t *)overview + number->offset;

    return number->wide ? *(const uint64_t *)(const void *)at : *(const uint32_t *)(const void *)at;
}

const char *overview_state_text(enum sluice_device_state state)
{
    static const char *const words[] = {
        [SLUICE_DEVICE_OPERATIONAL] = "operational",
        [SLUICE_DEVICE_DEGRADED] = "degraded",
        [SLUICE_DEVICE_QUARANTINED] = "quarantined",
    };

    return words[state];
}
