// SPDX-License-Identifier: MIT
/*
 * Interrupt tables [AMD 2.2.5]: whose there are, how long they are, and which device entries lead
 * to them.
 *
 * Each requester ID has a table of its own, so what one device sends can never name the entry of
 * another. Requesters that arrive under a common ID (behind a conventional bridge, or as firmware
 * says) share a table: the unit cannot tell them apart. A requester without entries has no table,
 * and its device entry refuses.
 *
 * A table is as long as its entries need, a power of two. It grows by one store to each device
 * entry, which holds address and length together; what was there before is copied, and its memory
 * is given back when the unit has confirmed that it forgot it.
 */
#include "unit/amd/amdvi.h"
#include "unit/amd/irte.h"

#define ENTRY_LG2_NARROW 2u
#define ENTRY_LG2_WIDE   4u

static unsigned entry_lg2(const struct amdvi *amdvi)
{
    return amdvi->capability.wide_interrupts ? ENTRY_LG2_WIDE : ENTRY_LG2_NARROW;
}

static size_t table_bytes(const struct amdvi *amdvi, const struct amdvi_interrupt_table *table)
{
    return (size_t)1 << (table->length_lg2 + entry_lg2(amdvi));
}

/* ---- users ---- */

static struct amdvi_interrupt_user *user_find(const struct amdvi_interrupt_table *table,
                                              uint16_t rid)
{
    list_for_each(node, &table->users)
    {
        struct amdvi_interrupt_user *user = container_of(node, struct amdvi_interrupt_user, node);

        if (user->rid == rid)
            return user;
    }
    return NULL;
}

static bool users_add(struct amdvi *amdvi, struct amdvi_interrupt_table *table,
                      const struct interrupt_block *block)
{
    for (unsigned i = 0; i < block->rid_count; i++) {
        struct amdvi_interrupt_user *user = user_find(table, block->rids[i]);

        if (user != NULL)
            continue;
        user = host_alloc(amdvi->unit.sluice, sizeof(*user));
        if (user == NULL)
            return false;
        *user = (struct amdvi_interrupt_user){.rid = block->rids[i]};
        list_append(&table->users, &user->node);
    }
    return true;
}

/* Not where something was not confirmed: the unit may still hold the table for any of them. */
static void users_remove_idle(struct amdvi *amdvi, struct amdvi_interrupt_table *table)
{
    list_for_each_safe(node, &table->users)
    {
        struct amdvi_interrupt_user *user = container_of(node, struct amdvi_interrupt_user, node);

        if (user->blocks > 0 || table->in_doubt)
            continue;
        list_remove(node);
        host_free(amdvi->unit.sluice, user, sizeof(*user));
    }
}

/* What the user's device entry has to say. */
static void user_lead(struct amdvi *amdvi, const struct amdvi_interrupt_table *table,
                      const struct amdvi_interrupt_user *user)
{
    uint64_t fields = user->blocks > 0 ? amdvi_dte_interrupts(table->pages.phys, table->length_lg2)
                                       : amdvi_dte_no_interrupts();

    amdvi_entry_set_interrupts(amdvi, user->rid, fields);
}

static void users_lead(struct amdvi *amdvi, const struct amdvi_interrupt_table *table)
{
    list_for_each(node, &table->users)
    {
        user_lead(amdvi, table, container_of(node, struct amdvi_interrupt_user, node));
    }
}

/* ---- tables ---- */

static bool has_user_of(const struct amdvi_interrupt_table *table,
                        const struct interrupt_block *block)
{
    for (unsigned i = 0; i < block->rid_count; i++) {
        if (user_find(table, block->rids[i]) != NULL)
            return true;
    }
    return false;
}

static bool beyond_device_table(const struct amdvi *amdvi, const struct interrupt_block *block)
{
    for (unsigned i = 0; i < block->rid_count; i++) {
        if (block->rids[i] >= amdvi_devices(amdvi))
            return true;
    }
    return false;
}

static struct amdvi_interrupt_table *table_make(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;
    struct amdvi_interrupt_table *table = host_alloc(sluice, sizeof(*table));

    if (table == NULL)
        return NULL;
    *table = (struct amdvi_interrupt_table){.order = 0};
    list_init(&table->users);
    if (!unit_index_init(sluice, &table->index,
                         (uint32_t)1 << amdvi->capability.interrupts_max_lg2)) {
        host_free(sluice, table, sizeof(*table));
        return NULL;
    }
    list_append(&amdvi->interrupt_tables, &table->node);
    return table;
}

static void table_free(struct amdvi *amdvi, struct amdvi_interrupt_table *table)
{
    struct sluice *sluice = amdvi->unit.sluice;

    if (table->pages.virt != NULL)
        amdvi->interrupt_entries -= (uint32_t)1 << table->length_lg2;
    list_for_each_safe(node, &table->users)
    {
        list_remove(node);
        host_free(sluice, container_of(node, struct amdvi_interrupt_user, node),
                  sizeof(struct amdvi_interrupt_user));
    }
    list_remove(&table->node);
    amdvi_pages_give_back(amdvi, &table->pages, table->order);
    unit_index_free(sluice, &table->index);
    host_free(sluice, table, sizeof(*table));
}

enum sluice_status amdvi_interrupt_table_get(struct amdvi *amdvi,
                                             const struct interrupt_block *block,
                                             struct amdvi_interrupt_table **out)
{
    struct amdvi_interrupt_table *found = NULL;
    bool several = false;

    list_for_each(node, &amdvi->interrupt_tables)
    {
        struct amdvi_interrupt_table *table =
            container_of(node, struct amdvi_interrupt_table, node);

        if (!has_user_of(table, block))
            continue;
        several = several || found != NULL;
        found = table;
    }
    if (several || beyond_device_table(amdvi, block)) {
        log_error(amdvi->unit.sluice,
                  "%s: the requesters that " LOG_RID
                  " sends as cannot share an interrupt table: %s",
                  amdvi->unit.name, LOG_RID_ARGS(block->segment, block->rids[0]),
                  several ? "some have one of their own already"
                          : "the device table has no entry for one of them");
        return SLUICE_ERR_NO_SPACE;
    }
    *out = found != NULL ? found : table_make(amdvi);
    return *out != NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
}

void amdvi_interrupt_table_drop_unused(struct amdvi *amdvi, struct amdvi_interrupt_table *table)
{
    if (table->index.used == 0 && !table->in_doubt)
        table_free(amdvi, table);
}

void amdvi_interrupt_tables_release(struct amdvi *amdvi)
{
    list_for_each_safe(node, &amdvi->interrupt_tables)
    {
        table_free(amdvi, container_of(node, struct amdvi_interrupt_table, node));
    }
}

/* ---- length ---- */

/* Memory that a table had before it grew; virt NULL: none. */
struct former {
    struct sluice_pages pages;
    unsigned order;
};

static bool within_limit(const struct amdvi *amdvi, uint32_t more)
{
    uint32_t limit = amdvi->unit.sluice->config.interrupt_entries;

    return limit == 0 || (more <= limit && amdvi->interrupt_entries <= limit - more);
}

static bool grow_pages(struct amdvi *amdvi, struct amdvi_interrupt_table *table, unsigned bytes_lg2,
                       struct former *out_former)
{
    unsigned order = bytes_lg2 > SLUICE_PAGE_LG2 ? bytes_lg2 - SLUICE_PAGE_LG2 : 0;
    struct sluice_pages pages;

    if (table->pages.virt != NULL && order <= table->order)
        return true;
    if (!host_pages_alloc(amdvi->unit.sluice, order, -1, &pages))
        return false;
    if (table->pages.virt != NULL)
        __builtin_memcpy(pages.virt, table->pages.virt, table_bytes(amdvi, table));
    *out_former = (struct former){table->pages, table->order};
    table->pages = pages;
    table->order = order;
    return true;
}

/* Entries beyond the old length are clear: they refuse from the moment the unit may see them. */
static enum sluice_status grow(struct amdvi *amdvi, struct amdvi_interrupt_table *table,
                               uint32_t count, struct former *out_former, bool *out_grown)
{
    bool made = table->pages.virt == NULL;
    unsigned lg2 = made ? 0 : table->length_lg2;
    uint32_t before = made ? 0 : (uint32_t)1 << lg2;

    while ((uint32_t)1 << lg2 < count)
        lg2++;
    *out_grown = made || lg2 != table->length_lg2;
    if (!*out_grown)
        return SLUICE_OK;
    if (!within_limit(amdvi, ((uint32_t)1 << lg2) - before))
        return SLUICE_ERR_NO_SPACE;
    if (!grow_pages(amdvi, table, lg2 + entry_lg2(amdvi), out_former))
        return SLUICE_ERR_NO_MEMORY;
    amdvi->interrupt_entries += ((uint32_t)1 << lg2) - before;
    table->length_lg2 = lg2;
    return SLUICE_OK;
}

/* ---- who is led where ---- */

/* Counts the block in or out; whether a device entry has to change by that. */
static bool count_block(struct amdvi_interrupt_table *table, const struct interrupt_block *block,
                        bool in)
{
    bool changed = false;

    for (unsigned i = 0; i < block->rid_count; i++) {
        struct amdvi_interrupt_user *user = user_find(table, block->rids[i]);

        changed = changed || user->blocks == (in ? 0u : 1u);
        user->blocks += in ? 1u : UINT32_MAX;
    }
    return changed;
}

enum sluice_status amdvi_interrupt_table_use(struct amdvi *amdvi,
                                             struct amdvi_interrupt_table *table,
                                             const struct interrupt_block *block, uint32_t count)
{
    struct former former = {{0}, 0};
    bool grown = false;
    enum sluice_status status = users_add(amdvi, table, block)
                                    ? grow(amdvi, table, count, &former, &grown)
                                    : SLUICE_ERR_NO_MEMORY;

    if (status != SLUICE_OK) {
        users_remove_idle(amdvi, table);
        return status;
    }
    if (!count_block(table, block, true) && !grown)
        return SLUICE_OK;
    users_lead(amdvi, table);
    status = amdvi_invalidate_interrupts(amdvi, table, true);
    if (status == SLUICE_OK) {
        host_pages_free(amdvi->unit.sluice, former.pages, former.order);
        return SLUICE_OK;
    }
    /* The unit may look at either table. Nothing in them delivers that did not before. */
    table->in_doubt = true;
    (void)count_block(table, block, false);
    users_lead(amdvi, table);
    if (former.pages.virt != NULL)
        atomic_fetch_add_explicit(&amdvi->unit.sluice->withheld_pages, (uint64_t)1 << former.order,
                                  memory_order_relaxed);
    return status;
}

enum sluice_status amdvi_interrupt_table_leave(struct amdvi *amdvi,
                                               struct amdvi_interrupt_table *table,
                                               const struct interrupt_block *block)
{
    bool changed = count_block(table, block, false);
    enum sluice_status status;

    if (changed)
        users_lead(amdvi, table);
    status = amdvi_invalidate_interrupts(amdvi, table, changed);
    table->in_doubt = table->in_doubt || status != SLUICE_OK;
    users_remove_idle(amdvi, table);
    return status;
}

void amdvi_interrupt_tables_hold(struct amdvi *amdvi, bool hold)
{
    list_for_each(node, &amdvi->interrupt_tables)
    {
        const struct amdvi_interrupt_table *table =
            container_of(node, struct amdvi_interrupt_table, node);

        if (!hold) {
            users_lead(amdvi, table);
            continue;
        }
        list_for_each(user_node, &table->users)
        {
            amdvi_entry_set_interrupts(
                amdvi, container_of(user_node, struct amdvi_interrupt_user, node)->rid,
                amdvi_dte_no_interrupts());
        }
    }
}
