// SPDX-License-Identifier: MIT
/*
 * The overview as JSON [RFC 8259].
 */
#include "dma/dma.h"
#include "fault/fault.h"
#include "instance/overview.h"

/* Each holds a name on the stack; inlined into one they would be over the limit. */
#define APART static __attribute__((noinline)) void

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

/** What follows an element of an array that is listed. */
static const char *comma(const struct list_node *node, const struct list_node *list)
{
    return node->next == list ? "" : ",";
}

APART put_latency(const struct overview_writer *writer, const struct sluice_latency *latency)
{
    overview_put(writer,
                 "     \"invalidations\": {\"count\": %llu, \"sum_ns\": %llu, \"buckets\": [",
                 (unsigned long long)latency->count, (unsigned long long)latency->sum_ns);
    for (unsigned i = 0; i + 1 < SLUICE_LATENCY_BUCKETS; i++)
        overview_put(writer, "      {\"most_ns\": %llu, \"count\": %llu},",
                     1ull << (SLUICE_LATENCY_FIRST_LG2 + i),
                     (unsigned long long)latency->buckets[i]);
    overview_put(writer, "      {\"count\": %llu}]}",
                 (unsigned long long)latency->buckets[SLUICE_LATENCY_BUCKETS - 1]);
}

/** As powers of two: 2^63 itself is more than common parsers take. */
APART put_page_sizes(const struct overview_writer *writer, uint64_t sizes)
{
    char list[64 * 4 + 1] = "";
    size_t at = 0;

    for (unsigned lg2 = 0; lg2 < 64; lg2++) {
        if ((sizes >> lg2 & 1u) != 0)
            at += format_text(list + at, sizeof(list) - at, "%s%u", at != 0 ? ", " : "", lg2);
    }
    overview_put(writer, "     \"page_sizes_lg2\": [%s],", list);
}

APART put_unit(const struct overview_writer *writer, const struct unit *unit, const char *end)
{
    const struct unit_caps *caps = &unit->caps;
    struct sluice_latency latency = {0};
    bool degraded = atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0;
    char name[OVERVIEW_NAME_BYTES];

    unit_latency_add(unit, &latency);
    overview_put(writer,
                 "    {\"name\": \"%s\", \"driver\": \"%s\", \"segment\": %u, \"base\": %llu, "
                 "\"translating\": %s, \"degraded\": %s,",
                 overview_escaped(unit->name, true, name), unit->ops->driver,
                 (unsigned)unit->desc->segment, (unsigned long long)unit->desc->base,
                 truth(unit->started), truth(degraded));
    overview_put(writer,
                 "     \"iova_bits\": %u, \"phys_bits\": %u, \"domain_ids\": %u, "
                 "\"interrupt_entries\": %u,",
                 caps->iova_bits, caps->phys_bits, (unsigned)caps->domains,
                 (unsigned)caps->interrupt_entries);
    overview_put(writer,
                 "     \"coherent\": %s, \"snoop_control\": %s, \"pass_through\": %s, "
                 "\"queued\": %s, \"ats\": %s, \"x2apic\": %s,",
                 truth(caps->coherent), truth(caps->snoop_control), truth(caps->pass_through),
                 truth(caps->queued), truth(caps->ats), truth(caps->x2apic));
    put_page_sizes(writer, caps->page_sizes);
    put_latency(writer, &latency);
    overview_put(writer, "    }%s", end);
}

APART put_group_of(const struct overview_writer *writer, const struct sluice_device *device)
{
    uint64_t id;

    if (group_of_device_locked(writer->sluice, device, &id))
        overview_put(writer, "     \"group\": %llu,", (unsigned long long)id);
}

APART put_device(const struct overview_writer *writer, struct sluice_device *device,
                 const char *end)
{
    char label[OVERVIEW_NAME_BYTES], name[OVERVIEW_NAME_BYTES];
    uint64_t faults;
    enum sluice_device_state state = overview_state_of(device, &faults);

    overview_put(writer, "    {\"device\": \"%s\", \"unit\": \"%s\", \"state\": \"%s\",",
                 overview_escaped(device->label, true, label), device->unit->name,
                 overview_state_text(state));
    put_group_of(writer, device);
    overview_put(writer, "     \"name\": \"%s\",", overview_escaped(device->name, true, name));
    overview_put(
        writer, "     \"domain\": \"%s\", \"untrusted\": %s, \"silenced\": %s, \"faults\": %llu}%s",
        overview_escaped(device->domain != NULL ? device->domain->name : "", true, name),
        truth(device->untrusted), truth(flood_is_silenced(device, NULL)),
        (unsigned long long)faults, end);
}

APART put_domain(const struct overview_writer *writer, struct sluice_domain *domain,
                 const char *end)
{
    struct sluice_dma_domain_info dma = {0};
    struct sluice_domain_info info;
    char name[OVERVIEW_NAME_BYTES];
    bool managed = dma_domain_info_locked(domain, &dma) == SLUICE_OK;

    sluice_domain_info(domain, &info);
    overview_put(writer,
                 "    {\"name\": \"%s\", \"kind\": \"%s\", \"of_firmware\": %s, \"devices\": %u, "
                 "\"table_bytes\": %llu,",
                 overview_escaped(domain->name, true, name), domain_kind_text(domain->kind),
                 truth(domain->internal), info.device_count, (unsigned long long)info.table_bytes);
    overview_put(writer,
                 "     \"dma_api\": %s, \"lazy\": %s, \"mappings\": %llu, "
                 "\"mapped_bytes\": %llu,",
                 truth(managed), truth(dma.lazy), (unsigned long long)dma.usage.live,
                 (unsigned long long)dma.usage.bytes);
    overview_put(
        writer, "     \"strict_flushes\": %llu, \"lazy_flushes\": %llu, \"queued_ranges\": %llu}%s",
        (unsigned long long)dma.strict_flushes, (unsigned long long)dma.lazy_flushes,
        (unsigned long long)dma.queued, end);
}

/* ---- groups ---- */

APART put_member(const struct overview_writer *writer, const struct group_function *function,
                 const char *before)
{
    char label[GROUP_LABEL_BYTES], name[OVERVIEW_NAME_BYTES];

    group_label(function, label);
    overview_put(writer, "      %s{\"device\": \"%s\", \"bridge\": %s}", before,
                 overview_escaped(label, true, name), truth(function->is_bridge));
}

APART put_reasons(const struct overview_writer *writer, const struct group_map *map,
                  uint32_t leader)
{
    struct sluice_group_reason reason;
    char text[GROUP_REASON_BYTES];

    overview_put(writer, "     ], \"reasons\": [");
    for (unsigned i = 0; group_reason_at(map, leader, i, &reason); i++) {
        (void)sluice_group_reason_text(&reason, text, sizeof(text));
        /* Our own words, which need no escaping. */
        overview_put(writer, "      %s\"%s\"", i == 0 ? "" : ", ", text);
    }
    overview_put(writer, "     ]}");
}

static void put_groups(const struct overview_writer *writer)
{
    const struct group_map *map = group_map_locked(writer->sluice);

    overview_put(writer, "  \"group_list\": [");
    for (uint32_t group = 0; map != NULL && group < map->group_count; group++) {
        uint32_t leader = map->groups[group];

        overview_put(writer, "    %s{\"id\": %llu, \"members\": [", group == 0 ? "" : ", ",
                     (unsigned long long)group_id(map, leader));
        for (uint32_t i = 0; i < map->functions[leader].members; i++)
            put_member(writer, &map->functions[group_member_at(map, leader, i)],
                       i == 0 ? "" : ", ");
        put_reasons(writer, map, leader);
    }
    overview_put(writer, "  ],");
}

static void put_lists(const struct overview_writer *writer)
{
    struct sluice *sluice = writer->sluice;
    bool listed = instance_is_listed(sluice);

    overview_put(writer, "  \"units\": [");
    if (listed) {
        list_for_each(node, &sluice->units)
            put_unit(writer, container_of(node, struct unit, node), comma(node, &sluice->units));
    }
    overview_put(writer, "  ],");
    overview_selftests_json_locked(sluice, writer->emit, writer->arg);
    overview_put(writer, "  \"devices\": [");
    if (listed) {
        list_for_each(node, &sluice->devices) put_device(
            writer, container_of(node, struct sluice_device, node), comma(node, &sluice->devices));
    }
    overview_put(writer, "  ], \"domain_list\": [");
    if (listed) {
        list_for_each(node, &sluice->domains) put_domain(
            writer, container_of(node, struct sluice_domain, node), comma(node, &sluice->domains));
    }
    overview_put(writer, "  ],");
    put_groups(writer);
}

void sluice_overview_json(struct sluice *sluice, sluice_emit *emit, void *arg)
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
    overview_put(&writer, "{");
    overview_put(&writer,
                 "  \"enabled\": %s, \"level\": \"%s\", \"interrupts_remapped\": %s, "
                 "\"interrupts\": \"%s\",",
                 truth(overview.enabled), sluice_protection_text(overview.level),
                 truth(overview.interrupts.remapped), messages_text(sluice));
    put_lists(&writer);
    for (unsigned i = 0; (number = overview_number(i)) != NULL; i++)
        overview_put(&writer, "  \"%s\": %llu%s", number->key, overview_value(&overview, number),
                     overview_number(i + 1) == NULL ? "" : ",");
    overview_put(&writer, "}");
    sluice_spin_unlock(&sluice->lock, irq);
}
