// SPDX-License-Identifier: MIT
/*
 * Whose messages a GICv3's ITS takes, and where: it knows them by their sender, so that they count
 * as isolated [DT-binding pci-msi.txt, msi.txt, arm,gic-v3.yaml]. Only "msi-map" says of PCI
 * functions that their IDs go along; "msi-parent" of a host bridge says that they do not. What
 * cannot be read is left out quietly: it only keeps messages from counting as isolated. Other
 * controllers know no senders, RISC-V's IMSIC among them.
 */
#include "add.h"

#define ITS_TRANSLATE_FRAME 0x10000u /* GITS_TRANSLATER's [GIC 12.18] */
#define ITS_FRAME_BYTES     0x10000u
#define MAP_CELLS           4u /* of an entry: requester ID, controller, ID there, how many */
#define EVERY_RID           0xffffu
#define WORDS_MAX           32u

static bool is_its(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_COMPATIBLE);
    const char *word;

    for (uint32_t i = 0; i < WORDS_MAX && (word = dt_string(list, i)) != NULL; i++) {
        if (dt_same(word, "arm,gic-v3-its"))
            return true;
    }
    return false;
}

/**
 * Whether a phandle leads to an ITS, of which one cell says who sends. It is told to the instance;
 * twice does no harm. NO_MEMORY and STATE end the whole.
 */
static enum sluice_status tell_its(const struct dt_adding *adding, uint32_t phandle, bool *out_is)
{
    struct sluice_devicetree_cursor *find = &adding->tree->find;
    enum sluice_status status;
    struct dt_range range;
    uint32_t cells = 0;

    *out_is = false;
    if (phandle == 0 || !dt_find(adding->tree, phandle, find) || !dt_level(find)->enabled ||
        !is_its(find) || !dt_one(dt_get(find, DT_MSI_CELLS), &cells) || cells != 1 ||
        dt_reg(find, 0, &range) != NULL || range.bytes < ITS_TRANSLATE_FRAME + ITS_FRAME_BYTES)
        return SLUICE_OK;
    status =
        sluice_describe_message_doorbell(adding->sluice, range.first + ITS_TRANSLATE_FRAME,
                                         range.first + ITS_TRANSLATE_FRAME + ITS_FRAME_BYTES - 1);
    *out_is = status == SLUICE_OK;
    return status == SLUICE_ERR_INVALID ? SLUICE_OK : status;
}

static enum sluice_status add_entry(const struct dt_adding *adding,
                                    const struct sluice_devicetree_node *node,
                                    const struct sluice_devicetree_property *map, uint32_t at)
{
    uint32_t first = dt_cell(map, at), controller = dt_cell(map, at + 1);
    uint32_t id = dt_cell(map, at + 2), count = dt_cell(map, at + 3);
    struct sluice_message_senders senders = {
        .segment = node->segment,
        .first_rid = (uint16_t)first,
        .controller = controller,
        .first_message_id = id,
        .kind = SLUICE_MESSAGES_GIC_ITS,
    };
    enum sluice_status status;
    bool known;

    if (first > EVERY_RID || count == 0)
        return SLUICE_OK;
    senders.last_rid = (uint16_t)(count > EVERY_RID - first ? EVERY_RID : first + (count - 1));
    status = tell_its(adding, controller, &known);
    if (status != SLUICE_OK || !known)
        return status;
    status = sluice_describe_message_senders(adding->sluice, &senders);
    return status == SLUICE_ERR_INVALID ? SLUICE_OK : status;
}

enum sluice_status dt_add_messages(const struct dt_adding *adding,
                                   const struct sluice_devicetree_node *node)
{
    const struct sluice_devicetree_cursor *walk = &adding->tree->walk;
    const struct sluice_devicetree_property *map = dt_get(walk, DT_MSI_MAP);
    enum sluice_status status = SLUICE_OK;
    uint32_t mask = EVERY_RID;

    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) == 0 || map->data == NULL ||
        map->bytes % (4 * MAP_CELLS) != 0)
        return SLUICE_OK;
    /* Bits that do not count make several functions one sender. */
    if (dt_has(walk, DT_MSI_MAP_MASK) &&
        (!dt_one(dt_get(walk, DT_MSI_MAP_MASK), &mask) || (mask & EVERY_RID) != EVERY_RID))
        return SLUICE_OK;
    for (uint32_t at = 0;
         at < dt_cells(map) && at < MAP_CELLS * DT_ENTRIES_MAX && status == SLUICE_OK;
         at += MAP_CELLS)
        status = add_entry(adding, node, map, at);
    return status;
}

void dt_device_messages(const struct dt_adding *adding,
                        const struct sluice_devicetree_specifier *specifier,
                        struct sluice_device_sources *sources)
{
    const struct sluice_devicetree_cursor *walk = &adding->tree->walk;
    const struct sluice_devicetree_property *parent = dt_get(walk, DT_MSI_PARENT);
    uint32_t cells = adding->tree->units[specifier->unit].cells;
    bool known;

    /* Of a device with more IDs it is not said with which of them its messages go. */
    if (parent->data == NULL || parent->bytes != 8 || specifier->mask != 0 ||
        dt_cells(dt_get(walk, DT_IOMMUS)) != 1 + cells)
        return;
    if (tell_its(adding, dt_cell(parent, 0), &known) != SLUICE_OK || !known)
        return;
    sources->messages = SLUICE_MESSAGES_GIC_ITS;
    sources->message_controller = dt_cell(parent, 0);
    sources->message_id = dt_cell(parent, 1);
}
