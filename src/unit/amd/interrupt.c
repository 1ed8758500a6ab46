// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping [AMD 2.2.5, 2.4.5]: entries given out, written, and taken away; and how the
 * unit is told to read them.
 *
 * There is no switch for remapping as such: every device entry says for its requester whether
 * interrupts pass, are refused or are remapped. With sluice_config.interrupts each one refuses from
 * the moment the unit is given the device table (entry.c), until a block of entries is allocated.
 *
 * The format of entries belongs to the whole unit. Entries of 128 bits are used where the unit has
 * them and the CPU can store them at once; else those of 32 bits, whose destinations have 8 bits.
 * So an entry changes by one store, whatever it says before and after.
 *
 * The unit's own events are not remapped.
 */
#include "unit/amd/amdvi.h"
#include "unit/amd/irte.h"

/**
 * Numbers that a pin's redirection entry can hold where a vector stands [82093AA 3.2.4], above the
 * CPU's exceptions: should a message slip past the unit, its number is the vector.
 */
#define PIN_FIRST 0x20u
#define PIN_LAST  0xfeu

static void entry_set(struct amdvi *amdvi, const struct amdvi_interrupt_table *table,
                      uint32_t index, struct amdvi_irte value)
{
#if SLUICE_HAVE_STORE128
    if (amdvi->capability.wide_interrupts) {
        sluice_store128((uint64_t *)table->pages.virt + (size_t)2 * index, value.low, value.high);
        return;
    }
#endif
    (void)amdvi;
    /* Release: a table that this entry lies in was copied before. */
    atomic_store_explicit((_Atomic uint32_t *)table->pages.virt + index, (uint32_t)value.low,
                          memory_order_release);
}

static struct amdvi_irte entry_for(const struct amdvi *amdvi,
                                   const struct sluice_interrupt_route *route)
{
    if (amdvi->capability.wide_interrupts)
        return amdvi_irte_wide(route);
    return (struct amdvi_irte){.low = amdvi_irte_narrow(route)};
}

/* ---- numbers ---- */

/* First fit, so that tables stay short. */
static enum sluice_status take(struct unit_index *index, struct interrupt_block *block)
{
    bool pin = block->kind == SLUICE_INTERRUPT_IOAPIC;
    uint32_t align = block->kind == SLUICE_INTERRUPT_MSI ? block->count : 1;
    enum sluice_status status;

    index->next = pin ? PIN_FIRST : 0;
    status = unit_index_take(index, block->count, align, &block->first);
    if (status != SLUICE_OK || !pin || (block->first >= PIN_FIRST && block->first <= PIN_LAST))
        return status;
    unit_index_give(index, block->first, block->count);
    return SLUICE_ERR_NO_SPACE;
}

/* ---- the operations of unit.h ---- */

enum sluice_status amdvi_interrupt_alloc(struct unit *unit, struct interrupt_block *block)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct amdvi_interrupt_table *table;
    enum sluice_status status = amdvi_interrupt_table_get(amdvi, block, &table);

    if (status != SLUICE_OK)
        return status;
    block->table = table;
    status = take(&table->index, block);
    if (status == SLUICE_OK) {
        status = amdvi_interrupt_table_use(amdvi, table, block, block->first + block->count);
        if (status != SLUICE_OK)
            unit_index_give(&table->index, block->first, block->count);
    }
    /* What the unit may have come to know of stays. */
    if (status == SLUICE_ERR_NO_SPACE || status == SLUICE_ERR_NO_MEMORY)
        amdvi_interrupt_table_drop_unused(amdvi, table);
    return status;
}

enum sluice_status amdvi_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                         unsigned index, const struct sluice_interrupt_route *route)
{
    struct amdvi *amdvi = amdvi_of(unit);

    entry_set(amdvi, block->table, block->first + index, entry_for(amdvi, route));
    /* Also where nothing was: a unit may cache that. */
    return amdvi_invalidate_interrupts(amdvi, block->table, false);
}

enum sluice_status amdvi_interrupt_free(struct unit *unit, struct interrupt_block *block)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct amdvi_interrupt_table *table = block->table;
    enum sluice_status status;

    for (uint32_t i = 0; i < block->count; i++)
        entry_set(amdvi, table, block->first + i, (struct amdvi_irte){.low = 0});
    status = amdvi_interrupt_table_leave(amdvi, table, block);
    if (status != SLUICE_OK) {
        table->index.withheld += block->count;
        return status;
    }
    unit_index_give(&table->index, block->first, block->count);
    amdvi_interrupt_table_drop_unused(amdvi, table);
    return SLUICE_OK;
}

void amdvi_interrupt_message(struct unit *unit, const struct interrupt_block *block, unsigned index,
                             const struct sluice_interrupt_route *route,
                             struct interrupt_message *out)
{
    (void)unit;
    *out = (struct interrupt_message){.msi = amdvi_message(block->first + index)};
    if (block->kind == SLUICE_INTERRUPT_IOAPIC && route != NULL)
        out->ioapic = amdvi_ioapic_entry(block->first + index, route);
}

void amdvi_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info)
{
    const struct amdvi *amdvi = amdvi_of(unit);

    info->entries += amdvi->interrupt_entries;
    list_for_each(node, &amdvi->interrupt_tables)
    {
        const struct unit_index *index =
            &container_of(node, struct amdvi_interrupt_table, node)->index;

        info->used += index->used - index->withheld;
        info->withheld += index->withheld;
    }
}

/* ---- the format ---- */

uint64_t amdvi_interrupt_format_mask(void)
{
    return AMDVI_MASK(CONTROL_GA) | AMDVI_MASK(CONTROL_XT) | AMDVI_MASK(CONTROL_NUMINT) |
           AMDVI_MASK(CONTROL_GAM) | AMDVI_MASK(CONTROL_GALOG) | AMDVI_MASK(CONTROL_GAINT);
}

uint64_t amdvi_interrupt_format(const struct amdvi *amdvi)
{
    const struct amdvi_capability *capability = &amdvi->capability;
    bool many = capability->interrupts_max_lg2 == AMDVI_INTERRUPTS_MANY_LG2;

    return AMDVI_PREP(CONTROL_GA, capability->wide_interrupts) |
           AMDVI_PREP(CONTROL_XT, amdvi->unit.sluice->x2apic) | AMDVI_PREP(CONTROL_NUMINT, many);
}

void amdvi_interrupt_format_set(struct amdvi *amdvi)
{
    uint64_t mask = amdvi_interrupt_format_mask();
    uint64_t want = amdvi_interrupt_format(amdvi);

    /* Wide destinations only in wide entries: XT is never set without GA [AMD 3.4]. */
    amdvi_control(amdvi, mask & ~AMDVI_MASK(CONTROL_GA), 0);
    amdvi_control(amdvi, mask, want & ~AMDVI_MASK(CONTROL_XT));
    amdvi_control(amdvi, 0, want);
}
