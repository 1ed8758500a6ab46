// SPDX-License-Identifier: MIT
/*
 * Rules for IOMMUs.
 */
#include "lint.h"

#define REGISTERS_HUGE_BYTES ((uint64_t)256 << 20)

/** What a kind asks of its node. */
static const struct {
    uint32_t cells_least; /**< of "#iommu-cells" */
    uint32_t cells_most;
    uint64_t bytes;     /**< of registers, at least */
    uint64_t alignment; /**< of registers; 0: any */
    bool interrupts;    /**< wired ones matter */
} needs[SLUICE_UNIT_KIND_COUNT] = {
    [SLUICE_UNIT_SMMU_V3] = {1, 1, 0x20000, 0x10000, true}, /* [SMMU 6.1] */
    [SLUICE_UNIT_SMMU_V2] = {1, 2, 0x2000, 0x1000, true},
    [SLUICE_UNIT_RISCV] = {1, 1, 0x1000, 0x1000, true},
    [SLUICE_UNIT_VIRTIO] = {1, 1, 0x100, 0, false},
};

static void check_cells(const struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    const char *property = dt_property_name(DT_IOMMU_CELLS);

    if (!dt_has(&lint->tree->walk, DT_IOMMU_CELLS))
        dt_say(lint, DT_RULE_UNIT_CELLS_MISSING, property, "the %s has none",
               sluice_unit_kind_text(node->unit_kind));
    else if (node->unit_cells < needs[node->unit_kind].cells_least ||
             node->unit_cells > needs[node->unit_kind].cells_most)
        dt_say(lint, DT_RULE_UNIT_CELLS_WRONG, property, "the %s has %u",
               sluice_unit_kind_text(node->unit_kind), (unsigned)node->unit_cells);
}

static void check_registers(const struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    const char *property = dt_property_name(DT_REG);
    const unsigned long long base = node->registers;

    if (node->on_pci || node->register_bytes == 0)
        return;
    if (base == 0)
        dt_say(lint, DT_RULE_UNIT_BASE_ZERO, property, "registers at 0");
    else if (needs[node->unit_kind].alignment != 0 &&
             (base & (needs[node->unit_kind].alignment - 1)) != 0)
        dt_say(lint, DT_RULE_UNIT_UNALIGNED, property, "registers at %#llx", base);
    if (node->register_bytes < needs[node->unit_kind].bytes)
        dt_say(lint, DT_RULE_UNIT_SMALL, property, "%#llx bytes of registers, and %s has %#llx",
               (unsigned long long)node->register_bytes, sluice_unit_kind_text(node->unit_kind),
               (unsigned long long)needs[node->unit_kind].bytes);
    if (node->register_bytes > REGISTERS_HUGE_BYTES)
        dt_say(lint, DT_RULE_UNIT_HUGE, property, "%#llx bytes of registers",
               (unsigned long long)node->register_bytes);
    if (node->register_ranges > 1)
        dt_say(lint, DT_RULE_UNIT_SEVERAL, property, "%u ranges", node->register_ranges);
}

static bool meet(const struct sluice_devicetree_unit *one, const struct sluice_devicetree_unit *two)
{
    if (one->on_pci != two->on_pci || !one->enabled || !two->enabled)
        return false;
    if (one->on_pci)
        return one->segment == two->segment && one->rid == two->rid;
    return one->register_bytes != 0 && two->register_bytes != 0 &&
           one->registers <= two->registers + (two->register_bytes - 1) &&
           two->registers <= one->registers + (one->register_bytes - 1);
}

static void check_overlap(const struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    const struct sluice_devicetree *tree = lint->tree;

    for (unsigned i = 0; i < node->unit; i++) {
        if (!meet(&tree->units[i], &tree->units[node->unit]))
            continue;
        if (node->on_pci)
            dt_say(lint, DT_RULE_UNIT_OVERLAP, dt_property_name(DT_REG),
                   "an IOMMU before it is the same PCI function");
        else
            dt_say(lint, DT_RULE_UNIT_OVERLAP, dt_property_name(DT_REG),
                   "registers at %#llx, and those of an IOMMU before it at %#llx",
                   (unsigned long long)node->registers,
                   (unsigned long long)tree->units[i].registers);
        return;
    }
}

/** Names that the binding has [DT-binding arm,smmu-v3]. */
static bool is_wire_name(const char *name)
{
    static const char *const names[] = {"eventq", "priq", "gerror", "cmdq-sync", "combined"};

    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (dt_same(name, names[i]))
            return true;
    }
    return false;
}

static void check_interrupts(const struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    const struct sluice_devicetree_cursor *walk = &lint->tree->walk;
    struct sluice_devicetree_interrupt interrupt;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    enum sluice_status status;

    if (!dt_has(walk, DT_INTERRUPTS) && !dt_has(walk, DT_INTERRUPTS_EXTENDED) &&
        !dt_has(walk, DT_MSI_PARENT) && !node->on_pci && needs[node->unit_kind].interrupts)
        dt_say(lint, DT_RULE_UNIT_NO_INTERRUPTS, NULL, "it has no interrupts");
    if (node->unit_kind == SLUICE_UNIT_RISCV && node->interrupt_count > SLUICE_UNIT_WIRES_MAX)
        dt_say(lint, DT_RULE_INTERRUPTS_MANY, dt_property_name(DT_INTERRUPTS), "%u interrupts",
               node->interrupt_count);
    while ((status = sluice_devicetree_interrupt_next(lint->tree, walk, &at, &interrupt, &error)) ==
           SLUICE_OK) {
        if (node->unit_kind == SLUICE_UNIT_SMMU_V3 && !is_wire_name(interrupt.name))
            dt_say(lint, DT_RULE_INTERRUPT_NAMES, dt_property_name(DT_INTERRUPT_NAMES),
                   "interrupt %u is called \"%s\"", (unsigned)interrupt.index,
                   interrupt.name != NULL ? interrupt.name : "");
    }
    if (status == SLUICE_ERR_FIRMWARE)
        dt_say(lint, DT_RULE_INTERRUPTS_BROKEN, error.property, "%s", error.what);
}

void dt_lint_unit(struct dt_lint *lint, const struct sluice_devicetree_node *node)
{
    if (!node->unit_known) {
        dt_say(lint, DT_RULE_UNIT_UNKNOWN, dt_property_name(DT_COMPATIBLE), "\"%s\"",
               node->compatible != NULL ? node->compatible : "");
        return;
    }
    check_cells(lint, node);
    check_registers(lint, node);
    check_interrupts(lint, node);
    if (node->unit == UINT_MAX)
        return;
    check_overlap(lint, node);
    if ((lint->used >> node->unit & 1) == 0)
        dt_say(lint, DT_RULE_UNIT_UNUSED, NULL, "nothing refers to it");
}
