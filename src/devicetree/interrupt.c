// SPDX-License-Identifier: MIT
/*
 * Wired interrupts [DT 2.4]: specifiers, and what their controllers call them. Called by node.c
 * and lint.
 */
#include "tree.h"

enum controller {
    CONTROLLER_UNKNOWN = 0,
    CONTROLLER_GIC,   /**< three cells and more [DT-binding arm,gic] */
    CONTROLLER_RISCV, /**< PLIC and APLIC: the source first [DT-binding riscv,aplic] */
};

/** More cells than any controller's specifiers have. */
#define SPECIFIER_CELLS_MAX 16u

/** First INTIDs of the kinds of interrupt that a specifier counts from 0 [GIC 2.2]. */
enum {
    GIC_SPI = 32,
    GIC_PPI = 16,
    GIC_ESPI = 4096,
    GIC_EPPI = 1056,
};

static const struct {
    const char *compatible;
    enum controller controller;
} controllers[] = {
    {"arm,gic-v3", CONTROLLER_GIC},        {"arm,gic-v5", CONTROLLER_UNKNOWN},
    {"arm,gic-400", CONTROLLER_GIC},       {"arm,cortex-a15-gic", CONTROLLER_GIC},
    {"arm,cortex-a9-gic", CONTROLLER_GIC}, {"arm,cortex-a7-gic", CONTROLLER_GIC},
    {"qcom,msm-qgic2", CONTROLLER_GIC},    {"sifive,plic-1.0.0", CONTROLLER_RISCV},
    {"riscv,plic0", CONTROLLER_RISCV},     {"thead,c900-plic", CONTROLLER_RISCV},
    {"riscv,aplic", CONTROLLER_RISCV},
};

static enum controller controller_of(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_COMPATIBLE);
    const char *word;

    for (uint32_t i = 0; i < 32 && (word = dt_string(list, i)) != NULL; i++) {
        for (size_t k = 0; k < sizeof(controllers) / sizeof(controllers[0]); k++) {
            if (dt_same(controllers[k].compatible, word))
                return controllers[k].controller;
        }
    }
    return CONTROLLER_UNKNOWN;
}

/** Finds a controller, unless it is the one that was found last. */
static const char *look_up(struct sluice_devicetree *tree, uint32_t phandle)
{
    if (phandle == 0)
        return "names no interrupt controller";
    if (tree->controller == phandle)
        return NULL;
    tree->controller = 0;
    if (!dt_find(tree, phandle, &tree->find))
        return "names an interrupt controller that is not there";
    if (!dt_one(dt_get(&tree->find, DT_INTERRUPT_CELLS), &tree->controller_cells) ||
        tree->controller_cells == 0 || tree->controller_cells > SPECIFIER_CELLS_MAX)
        return "names a node that is no interrupt controller";
    tree->controller = phandle;
    tree->controller_kind = controller_of(&tree->find);
    return NULL;
}

static uint32_t gic_number(const struct sluice_devicetree_interrupt *interrupt)
{
    static const uint32_t first[] = {GIC_SPI, GIC_PPI, GIC_ESPI, GIC_EPPI};
    static const uint32_t most[] = {988, 16, 1024, 64};

    if (interrupt->cells < 3 || interrupt->cell[0] >= sizeof(first) / sizeof(first[0]) ||
        interrupt->cell[1] >= most[interrupt->cell[0]])
        return 0;
    return first[interrupt->cell[0]] + interrupt->cell[1];
}

static uint32_t number_of(const struct sluice_devicetree *tree,
                          const struct sluice_devicetree_interrupt *interrupt)
{
    switch (tree->controller_kind) {
    case CONTROLLER_GIC:
        return gic_number(interrupt);
    case CONTROLLER_RISCV:
        return interrupt->cell[0];
    default:
        return 0;
    }
}

/** Which property counts: "interrupts-extended" before the other [DT 2.4.1.3]. */
static enum dt_property property_of(const struct sluice_devicetree_cursor *cursor)
{
    return dt_has(cursor, DT_INTERRUPTS_EXTENDED) ? DT_INTERRUPTS_EXTENDED : DT_INTERRUPTS;
}

static const char *read_one(struct sluice_devicetree *tree,
                            const struct sluice_devicetree_cursor *cursor,
                            struct sluice_devicetree_position *position,
                            struct sluice_devicetree_interrupt *out)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, property_of(cursor));
    const bool extended = property_of(cursor) == DT_INTERRUPTS_EXTENDED;
    const char *wrong;
    uint32_t at = position->at;

    out->controller = extended ? dt_cell(list, at++) : dt_level(cursor)->interrupt_parent;
    wrong = look_up(tree, out->controller);
    if (wrong != NULL)
        return wrong;
    out->cells = tree->controller_cells;
    if (out->cells > dt_cells(list) - at)
        return "ends in the middle of an interrupt";
    for (uint32_t i = 0; i < out->cells && i < SLUICE_DEVICETREE_INTERRUPT_CELLS; i++)
        out->cell[i] = dt_cell(list, at + i);
    position->at = at + out->cells;
    return NULL;
}

enum sluice_status sluice_devicetree_interrupt_next(struct sluice_devicetree *tree,
                                                    const struct sluice_devicetree_cursor *cursor,
                                                    struct sluice_devicetree_position *position,
                                                    struct sluice_devicetree_interrupt *out,
                                                    struct sluice_devicetree_error *error)
{
    const enum dt_property property = property_of(cursor);
    const struct sluice_devicetree_property *list = dt_get(cursor, property);
    const char *wrong = NULL;

    *out = (struct sluice_devicetree_interrupt){.index = position->index};
    if (position->at >= dt_cells(list) || position->index >= DT_ENTRIES_MAX)
        return SLUICE_ERR_NOT_FOUND;
    if (list->bytes % 4 != 0)
        wrong = "is no multiple of 4 bytes";
    else
        wrong = read_one(tree, cursor, position, out);
    if (wrong != NULL) {
        position->at = UINT32_MAX; /* where the next begins cannot be known */
        return dt_error(error, cursor->path, dt_property_name(property), wrong);
    }
    out->number = number_of(tree, out);
    out->name = dt_string(dt_get(cursor, DT_INTERRUPT_NAMES), position->index);
    position->index++;
    return SLUICE_OK;
}

/**
 * Place among a unit's wires; UINT_MAX: it is none of them.
 * @param flagged  each number is followed by flags that its controller does not have
 */
static unsigned place_of(const struct sluice_devicetree_node *node,
                         const struct sluice_devicetree_interrupt *interrupt, bool flagged)
{
    /* In the order of the ACPI table, which the driver knows [DT-binding arm,smmu-v3]. */
    static const char *const smmu3[] = {"eventq", "priq", "gerror", "cmdq-sync"};

    if (flagged)
        return interrupt->index % 2 == 0 ? interrupt->index / 2 : UINT_MAX;
    if (node->unit_kind != SLUICE_UNIT_SMMU_V3)
        return interrupt->index;
    for (unsigned i = 0; interrupt->name != NULL && i < SLUICE_UNIT_WIRES_MAX; i++) {
        if (dt_same(interrupt->name, smmu3[i]))
            return i;
    }
    return interrupt->name != NULL && dt_same(interrupt->name, "combined") ? 0 : UINT_MAX;
}

void dt_wires(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
              struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_interrupt interrupt;
    uint32_t most = SLUICE_UNIT_WIRES_MAX;
    bool flagged;

    /* Of an SMMUv2, only its global interrupts; those of contexts follow them. */
    if (node->unit_kind == SLUICE_UNIT_SMMU_V2) {
        most = 1;
        (void)dt_one(dt_get(cursor, DT_GLOBAL_INTERRUPTS), &most);
    }
    while (sluice_devicetree_interrupt_next(tree, cursor, &at, &interrupt, NULL) == SLUICE_OK)
        node->interrupt_count++;
    /* QEMU 10.0 writes two cells an interrupt for a PLIC too, which has one. */
    flagged =
        node->unit_kind == SLUICE_UNIT_RISCV && node->interrupt_count == 2 * SLUICE_UNIT_WIRES_MAX;
    at = (struct sluice_devicetree_position){0};
    while (sluice_devicetree_interrupt_next(tree, cursor, &at, &interrupt, NULL) == SLUICE_OK) {
        unsigned place = place_of(node, &interrupt, flagged);

        if (place < SLUICE_UNIT_WIRES_MAX && place < most && node->wires[place] == 0)
            node->wires[place] = interrupt.number;
    }
}
