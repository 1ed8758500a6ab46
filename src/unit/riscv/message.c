// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping by MSI page tables [RISC-V IOMMU 2.1.3.5, 2.3.3; RISC-V AIA 9.5].
 *
 * Messages go to a window of RIOMMU_MESSAGES pages in each device's addresses, where the unit looks
 * them up in the device's own MSI page table instead of its second stage. An entry is a page of the
 * window, so nothing that a device sends names another's. What is no entry's is refused.
 *
 * Where the unit has interrupt files in memory, entries lead to one that all share and nobody
 * looks at; what counts is the notice that the unit sends for each message it stores there. It says
 * the interrupt file and the identity, both in one word of the entry. So the device's data has no
 * say, and one store moves an interrupt. Else entries are basic ones: one word says the file, and
 * the device's data the identity in it.
 *
 * A masked entry lets messages fall into a page that nobody looks at, since the unit records those
 * that it refuses.
 *
 * The window lies over the doorbells, and its pages that are real ones are no entries: a device
 * that was programmed with a plain message is refused. Tables come with a device's first block and
 * go with the last; without one, a device has a table in which nothing is valid. Devices that
 * arrive under a common ID share one.
 *
 * Cached entries are tagged by GSCID [RISC-V IOMMU 2.8]: that is why devices have their own.
 */
#include "unit/riscv/msi.h"
#include "unit/riscv/riommu.h"

#include "core/doorbell.h"

/** In the page `files`: what is masked goes to its beginning, which notices are written to. */
#define MRIF_OFFSET 0x200u

/** What devices say where it has no say: an identity like any other. */
#define MESSAGE_DATA 1u

#define WORDS_PER_ENTRY 2u

static bool by_notice(const struct riommu *riommu)
{
    return RIOMMU_HAS(riommu, MSI_MRIF);
}

bool riommu_messages_prepare(struct riommu *riommu)
{
    if (!riommu->remaps)
        return true;
    if (!riommu_table_make(riommu, &riommu->files) || !riommu_table_make(riommu, &riommu->empty))
        return false;
    /* Units may send notices for what is enabled only [RISC-V AIA 9.3]. */
    for (unsigned i = 0; i < RIOMMU_MRIF_IDENTITIES / 64; i++) {
        struct riommu_mrif *mrif = (void *)((uint8_t *)riommu->files.virt + MRIF_OFFSET);

        mrif->part[i].enabled = UINT64_MAX;
    }
    riommu_clean(riommu, riommu->files.virt, SLUICE_PAGE_BYTES);
    return true;
}

void riommu_messages_put(const struct riommu *riommu, const struct riommu_messages *messages,
                         struct riommu_context *context)
{
    const struct riommu_msi_window window = {
        .table = messages != NULL ? messages->pages.phys : riommu->empty.phys,
        .mask = RIOMMU_MESSAGES - 1,
        .pattern = riommu->window >> SLUICE_PAGE_LG2,
    };

    riommu_context_set_msi(context, &window);
}

/* ---- entries ---- */

static riommu_word *entry_at(const struct riommu_messages *messages, uint32_t number)
{
    return (riommu_word *)messages->pages.virt + (size_t)WORDS_PER_ENTRY * number;
}

/* `page` 0 is the masked one's. */
static struct riommu_msi_entry entry_for(const struct riommu *riommu, sluice_phys_t page,
                                         uint16_t identity)
{
    sluice_phys_t to = page != 0 ? page : riommu->files.phys;
    struct riommu_msi_entry entry;

    if (by_notice(riommu))
        return riommu_msi_mrif(riommu->files.phys + MRIF_OFFSET, to, identity);
    entry = riommu_msi_basic(to);
    entry.word[1] = identity; /* ours: the unit ignores it [RISC-V AIA 9.5.1] */
    return entry;
}

/*
 * Of an entry that is in use one word changes: the second of a notice, or the first of a basic one,
 * whose second is no concern of the unit. Before its first use the second is written before the
 * first says that it is valid.
 */
static void entry_set(struct riommu *riommu, riommu_word *at, const struct riommu_msi_entry *entry)
{
    riommu_word_set(riommu, &at[1], entry->word[1]);
    riommu_word_set(riommu, &at[0], entry->word[0]);
}

static void entries_clear(struct riommu *riommu, const struct interrupt_block *block)
{
    for (uint32_t i = 0; i < block->count; i++)
        riommu_word_set(riommu, entry_at(block->table, block->first + i), 0);
}

/* ---- tables ---- */

/* Numbers whose pages are real doorbells are kept, unless that leaves few. */
static void keep_doorbells(struct riommu *riommu, struct riommu_messages *messages)
{
    uint32_t doorbells = 0;

    for (uint32_t i = 0; i < RIOMMU_MESSAGES; i++)
        doorbells += host_is_doorbell(riommu->unit.sluice,
                                      riommu->window + ((uint64_t)i << SLUICE_PAGE_LG2));
    for (uint32_t i = 0; doorbells <= RIOMMU_MESSAGES / 2 && i < RIOMMU_MESSAGES; i++) {
        uint32_t number;

        if (!host_is_doorbell(riommu->unit.sluice,
                              riommu->window + ((uint64_t)i << SLUICE_PAGE_LG2)))
            continue;
        messages->index.next = i;
        if (unit_index_take(&messages->index, 1, 1, &number) == SLUICE_OK)
            messages->kept++;
    }
}

static struct riommu_messages *table_make(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;
    struct riommu_messages *messages = host_alloc(sluice, sizeof(*messages));

    if (messages == NULL)
        return NULL;
    if (!riommu_table_make(riommu, &messages->pages) ||
        !unit_index_init(sluice, &messages->index, RIOMMU_MESSAGES)) {
        host_pages_free(sluice, messages->pages, 0);
        host_free(sluice, messages, sizeof(*messages));
        return NULL;
    }
    keep_doorbells(riommu, messages);
    list_append(&riommu->messages, &messages->node);
    return messages;
}

static void table_free(struct riommu *riommu, struct riommu_messages *messages)
{
    struct sluice *sluice = riommu->unit.sluice;

    list_remove(&messages->node);
    riommu_give_back(riommu, &messages->pages, 0);
    unit_index_free(sluice, &messages->index);
    host_free(sluice, messages, sizeof(*messages));
}

void riommu_messages_release(struct riommu *riommu)
{
    list_for_each_safe(node, &riommu->messages)
    {
        table_free(riommu, container_of(node, struct riommu_messages, node));
    }
    riommu_give_back(riommu, &riommu->files, 0);
    riommu_give_back(riommu, &riommu->empty, 0);
}

/* Its devices may send nothing any more, and the unit has let go of it. */
static void table_drop_unused(struct riommu *riommu, struct riommu_messages *messages)
{
    enum sluice_status status = SLUICE_OK;

    if (messages->index.used != messages->kept || messages->in_doubt)
        return;
    list_for_each_safe(node, &riommu->devices)
    {
        struct riommu_device *device = container_of(node, struct riommu_device, node);

        if (device->messages != messages)
            continue;
        device->messages = NULL;
        if (status == SLUICE_OK)
            status = riommu_context_lead(riommu, device);
        if (status == SLUICE_OK)
            riommu_device_settle(riommu, device);
        else
            device->messages = messages;
    }
    if (status == SLUICE_OK)
        table_free(riommu, messages);
    else
        messages->in_doubt = true;
}

/* The one that a block's sources share, or will. */
static enum sluice_status table_find(struct riommu *riommu, const struct interrupt_block *block,
                                     struct riommu_messages **out)
{
    *out = NULL;
    for (unsigned i = 0; i < block->source_count; i++) {
        const struct riommu_device *device = riommu_device_find(riommu, block->sources[i]->id);
        struct riommu_messages *found = device != NULL ? device->messages : NULL;

        if (!riommu_in_reach(riommu, block->sources[i]->id) ||
            (found != NULL && *out != NULL && found != *out)) {
            log_error(riommu->unit.sluice,
                      "%s: the IDs that " LOG_RID " sends as cannot share an MSI page table: %s",
                      riommu->unit.name, LOG_RID_ARGS(block->segment, block->rids[0]),
                      found != NULL ? "some have one of their own already"
                                    : "the device directory has no room for one of them");
            return SLUICE_ERR_NO_SPACE;
        }
        if (found != NULL)
            *out = found;
    }
    return SLUICE_OK;
}

/* Has every source of a block lead to the table. */
static enum sluice_status table_join(struct riommu *riommu, struct riommu_messages *messages,
                                     const struct interrupt_block *block)
{
    enum sluice_status status = SLUICE_OK;
    struct riommu_device *device;

    for (unsigned i = 0; i < block->source_count && status == SLUICE_OK; i++)
        status = riommu_device_get(riommu, block->sources[i]->id, &device);
    for (unsigned i = 0; i < block->source_count && status == SLUICE_OK; i++) {
        device = riommu_device_find(riommu, block->sources[i]->id);
        if (device->messages == messages)
            continue;
        device->messages = messages;
        status = riommu_context_lead(riommu, device);
        if (status != SLUICE_OK)
            messages->in_doubt = true;
    }
    return status;
}

/* ---- the operations of unit.h ---- */

static enum sluice_status alloc_in(struct riommu *riommu, struct riommu_messages *messages,
                                   struct interrupt_block *block)
{
    const struct riommu_msi_entry masked = entry_for(riommu, 0, 0);
    enum sluice_status status;

    messages->index.next = 0;
    status = unit_index_take(&messages->index, block->count, 1, &block->first);
    if (status != SLUICE_OK)
        return status;
    /* The word that the unit may see before the other, when it comes to be used. */
    for (uint32_t i = 0; i < block->count; i++)
        riommu_word_set(riommu, &entry_at(messages, block->first + i)[1], masked.word[1]);
    block->table = messages;
    status = table_join(riommu, messages, block);
    if (status != SLUICE_OK)
        unit_index_give(&messages->index, block->first, block->count);
    return status;
}

enum sluice_status riommu_interrupt_alloc(struct unit *unit, struct interrupt_block *block)
{
    struct riommu *riommu = riommu_of(unit);
    struct riommu_messages *messages;
    enum sluice_status status;

    if (block->source_count == 0 || (block->kind == SLUICE_INTERRUPT_MSI && block->count > 1))
        return SLUICE_ERR_UNSUPPORTED; /* no pins here, and data is no entry */
    status = table_find(riommu, block, &messages);
    if (status != SLUICE_OK)
        return status;
    if (messages == NULL)
        messages = table_make(riommu);
    if (messages == NULL)
        return SLUICE_ERR_NO_MEMORY;
    status = alloc_in(riommu, messages, block);
    if (status != SLUICE_OK) {
        table_drop_unused(riommu, messages);
        for (unsigned i = 0; i < block->source_count; i++)
            riommu_device_settle(riommu, riommu_device_find(riommu, block->sources[i]->id));
    }
    return status;
}

enum sluice_status riommu_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                          unsigned index,
                                          const struct sluice_interrupt_route *route)
{
    struct riommu *riommu = riommu_of(unit);
    uint32_t number = block->first + index;
    riommu_word *at = entry_at(block->table, number);
    struct riommu_msi_entry entry;
    sluice_phys_t page = 0;
    uint16_t identity = by_notice(riommu) ? 0 : (uint16_t)riommu_word_get(&at[1]);

    if (route != NULL) {
        if (!host_doorbell_page(unit->sluice, route->destination, &page))
            return SLUICE_ERR_HARDWARE; /* there was one when the route was checked */
        identity = route->vector;
    }
    entry = entry_for(riommu, page, identity);
    entry_set(riommu, at, &entry);
    return riommu_invalidate_messages(riommu, block->table, number, 1);
}

enum sluice_status riommu_interrupt_free(struct unit *unit, struct interrupt_block *block)
{
    struct riommu *riommu = riommu_of(unit);
    struct riommu_messages *messages = block->table;
    enum sluice_status status;

    entries_clear(riommu, block);
    status = riommu_invalidate_messages(riommu, messages, block->first, block->count);
    if (status != SLUICE_OK) {
        messages->index.withheld += block->count;
        return status;
    }
    unit_index_give(&messages->index, block->first, block->count);
    table_drop_unused(riommu, messages);
    return SLUICE_OK;
}

void riommu_interrupt_message(struct unit *unit, const struct interrupt_block *block,
                              unsigned index, const struct sluice_interrupt_route *route,
                              struct interrupt_message *out)
{
    const struct riommu *riommu = riommu_of(unit);
    uint32_t number = block->first + index;
    uint32_t data = MESSAGE_DATA;

    (void)route;
    *out = (struct interrupt_message){.ioapic = 0};
    if (!by_notice(riommu))
        data = (uint32_t)riommu_word_get(&entry_at(block->table, number)[1]);
    if (data == 0)
        return; /* no identity yet */
    out->msi = (struct sluice_msi){
        .address = riommu->window + ((uint64_t)number << SLUICE_PAGE_LG2), .data = data};
}

void riommu_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info)
{
    list_for_each(node, &riommu_of(unit)->messages)
    {
        const struct riommu_messages *messages = container_of(node, struct riommu_messages, node);

        info->entries += RIOMMU_MESSAGES - messages->kept;
        info->used += messages->index.used - messages->index.withheld - messages->kept;
        info->withheld += messages->index.withheld;
    }
}
