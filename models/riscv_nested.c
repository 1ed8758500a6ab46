// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's two stages at a time [RISC-V IOMMU 2.3; RISC-V Privileged, two-stage
 * address translation]: a guest's tables, of which every address goes through the second stage.
 *
 * What both come to is cached as one: by the guest's address space and the device's address, with
 * the guest's page that it went through. The root of a context's tables is kept as the address that
 * the second stage had for it, as long as the context is cached [RISC-V IOMMU 3.1.3].
 */
#include "models/riscv_internal.h"

/* Where a guest's address is, for the unit's own reading; 0, or a cause of the access at hand. */
static uint16_t implicit(struct riscv_model *unit, const struct riscv_stage *second, uint64_t gpa,
                         bool write, sluice_phys_t *out)
{
    const struct riscv_access access = {.write = false, .fault_write = write, .implicit = true};

    return riscv_through(unit, second, gpa, &access, out);
}

uint16_t riscv_root(struct riscv_model *unit, const struct riscv_stage *second,
                    struct riscv_root *root, sluice_phys_t table, bool write, sluice_phys_t *out)
{
    uint16_t cause;

    if (root->known) {
        *out = root->phys;
        return 0;
    }
    cause = implicit(unit, second, table, write, out);
    *root = (struct riscv_root){.known = cause == 0 && second->levels != 0, .phys = *out};
    return cause;
}

uint16_t riscv_fetch_first(struct riscv_model *unit, const struct riscv_stage *second,
                           sluice_phys_t at, bool write, uint64_t *out)
{
    sluice_phys_t phys;
    uint16_t cause = implicit(unit, second, at, write, &phys);

    if (cause == 0 && !riscv_fetch(unit, phys, out))
        cause = write ? CAUSE_WRITE_ACCESS : CAUSE_READ_ACCESS;
    return cause;
}

/* What a guest's tables come to. */
struct leaf {
    uint64_t gpa;
    unsigned shift;
    bool read, write;
};

/* A guest may write anything there; false: a page fault. */
static bool leaf_read(uint64_t entry, unsigned shift, uint64_t address, struct leaf *out)
{
    uint64_t to = FIELD64(entry, 53, 10) << 12, inside = BIT64(shift) - 1;

    if ((entry & MASK64(63, 54)) != 0 || (entry & 6) == 4 || (to & inside) != 0 ||
        FIELD64(entry, 4, 4) == 0 || FIELD64(entry, 6, 6) == 0)
        return false;
    *out = (struct leaf){.gpa = to + (address & inside),
                         .shift = shift,
                         .read = (entry & 2) != 0,
                         .write = (entry & 4) != 0 && FIELD64(entry, 7, 7) != 0};
    return true;
}

/* An entry of the guest's table of a level: 0 and *entry, or a cause. */
static uint16_t entry_of(struct riscv_model *unit, const struct riscv_stage stages[2],
                         struct riscv_root *root, sluice_phys_t at, bool top, bool write,
                         uint64_t *entry)
{
    sluice_phys_t phys;
    uint16_t cause;

    if (!top)
        return riscv_fetch_first(unit, &stages[1], at, write, entry);
    cause = riscv_root(unit, &stages[1], root, at & ~MASK64(11, 0), write, &phys);
    if (cause == 0 && !riscv_fetch(unit, phys | (at & MASK64(11, 0)), entry))
        cause = write ? CAUSE_WRITE_ACCESS : CAUSE_READ_ACCESS;
    return cause;
}

static uint16_t walk(struct riscv_model *unit, const struct riscv_stage stages[2],
                     struct riscv_root *root, uint64_t address, bool write, struct leaf *out)
{
    const struct riscv_stage *first = &stages[0];
    sluice_phys_t table = first->root;

    unit->stats.walks++;
    for (unsigned level = first->levels - 1;; level--) {
        unsigned shift = 12 + 9 * level;
        uint64_t index = address >> shift, entry;
        const struct riscv_cached *known =
            level > 0 ? riscv_cache_find(unit, first, level, index) : NULL;
        uint16_t cause;

        if (known != NULL) {
            table = known->phys;
            continue;
        }
        cause = entry_of(unit, stages, root, table + (index & 511) * 8, level + 1 == first->levels,
                         write, &entry);
        if (cause != 0)
            return cause;
        if ((entry & 1) == 0)
            return riscv_page_fault(false, write);
        if ((entry & 0xe) != 0)
            return leaf_read(entry, shift, address, out) ? 0 : riscv_page_fault(false, write);
        if (level == 0 || (entry & (MASK64(63, 54) | BIT64(4) | BIT64(6) | BIT64(7))) != 0)
            return riscv_page_fault(false, write);
        table = FIELD64(entry, 53, 10) << 12;
        (void)riscv_cache_add(unit, first, level, index, table);
    }
}

/* Through the second stage, and into the cache. */
static uint16_t finish(struct riscv_model *unit, const struct riscv_stage stages[2],
                       uint64_t address, const struct riscv_access *access, const struct leaf *leaf,
                       uint64_t *out)
{
    uint16_t cause = riscv_through(unit, &stages[1], leaf->gpa, access, out);
    const struct riscv_cached *below;
    struct riscv_cached *entry;
    bool read, write;

    if (cause != 0)
        return cause;
    below = riscv_cache_find(unit, &stages[1], 0, leaf->gpa >> 12);
    read = leaf->read && below->read;
    write = leaf->write && below->write;
    entry = riscv_cache_add(unit, &stages[0], 0, address >> 12, *out & ~MASK64(11, 0));
    entry->gpa = leaf->gpa >> 12;
    entry->shift = leaf->shift;
    entry->read = read;
    entry->write = write;
    return 0;
}

uint16_t riscv_nested(struct riscv_model *unit, const struct riscv_context *context,
                      const struct riscv_stage stages[2], uint64_t address,
                      const struct riscv_access *access, uint64_t *out, bool *out_message)
{
    const struct riscv_cached *entry = riscv_cache_find(unit, &stages[0], 0, address >> 12);
    struct leaf leaf = {0};
    uint16_t cause;

    if (entry != NULL && (access->write ? entry->write : entry->read)) {
        unit->stats.hits++;
        *out = entry->phys | (address & MASK64(11, 0));
        return 0;
    }
    cause = walk(unit, stages, context->root_at, address, access->write, &leaf);
    if (cause != 0)
        return cause;
    if (access->write ? !leaf.write : !leaf.read)
        return riscv_page_fault(false, access->write);
    *out = leaf.gpa;
    *out_message = riscv_is_msi(context, leaf.gpa);
    return *out_message ? 0 : finish(unit, stages, address, access, &leaf, out);
}
