// SPDX-License-Identifier: MIT
/*
 * Tables of the unit's in-memory structures: pages of words that it reads while they change
 * [RISC-V IOMMU 2].
 */
#include "unit/riscv/riommu.h"

uint64_t riommu_word_get(riommu_word *word)
{
    /* Acquire: a table's entries are read after the entry that leads to it. */
    return atomic_load_explicit(word, memory_order_acquire);
}

void riommu_word_set(struct riommu *riommu, riommu_word *word, uint64_t value)
{
    /* Release: what was stored before, tables and other words, is seen before this word. */
    atomic_store_explicit(word, value, memory_order_release);
    riommu_clean(riommu, (const void *)(uintptr_t)word, sizeof(*word));
}

bool riommu_table_make(struct riommu *riommu, struct sluice_pages *out)
{
    if (!host_pages_alloc(riommu->unit.sluice, 0, -1, out)) {
        out->virt = NULL;
        return false;
    }
    if (out->phys >> riommu->capability.phys_bits != 0) {
        log_error(riommu->unit.sluice, "%s: the host's page at %#llx is beyond %u address bits",
                  riommu->unit.name, (unsigned long long)out->phys, riommu->capability.phys_bits);
        host_pages_free(riommu->unit.sluice, *out, 0);
        out->virt = NULL;
        return false;
    }
    riommu_clean(riommu, out->virt, SLUICE_PAGE_BYTES);
    return true;
}

riommu_word *riommu_table_below(struct riommu *riommu, riommu_word *slot, bool make)
{
    uint64_t entry = riommu_word_get(slot);
    struct sluice_pages table;

    if (RIOMMU_GET(DDTE_V, entry) != 0)
        return host_phys_to_virt(riommu->unit.sluice, riommu_directory_table(entry));
    /* An entry that was not valid is cached nowhere [RISC-V IOMMU 6.3.8]. */
    if (!make || !riommu_table_make(riommu, &table))
        return NULL;
    riommu_word_set(riommu, slot, riommu_directory_entry(table.phys));
    return table.virt;
}

void riommu_table_free(struct riommu *riommu, uint64_t entry)
{
    struct sluice_pages pages = {.phys = riommu_directory_table(entry)};

    pages.virt = host_phys_to_virt(riommu->unit.sluice, pages.phys);
    riommu_give_back(riommu, &pages, 0);
}
