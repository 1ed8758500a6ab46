// SPDX-License-Identifier: MIT
/*
 * Which devices' messages IORT sends to an ITS, through their SMMU or directly: IDs at an ITS group
 * are the device IDs that its controllers are told [IORT 3.1.1.1, 3.1.1.5]. What does not lead
 * there, or is broken on the way, is said of nobody: it only keeps messages from counting as
 * isolated.
 *
 * Called by platform_iort.c.
 */
#include "firmware/platform_table.h"

#include <sluice/iort.h>

#define SINGLE_MAPPING 0x1u       /**< for the SMMU's own messages [IORT 3.1.1.3] */
#define STEPS_MAX      (1u << 20) /**< mappings looked at in one table */
#define PIECES_MAX     64u        /**< that one mapping is cut into on the way */

/** Consecutive IDs and what they are at an ITS. */
struct piece {
    uint32_t first_id;
    uint32_t more; /**< beyond the first */
    uint64_t controllers;
};

/** The set of a group's controllers; empty: none. */
static uint64_t controllers_of(const struct platform_reader *reader,
                               const struct sluice_iort_node *group)
{
    uint64_t set = 0;
    uint32_t number;

    for (uint32_t i = 0; reader->platform->sender_steps++ < STEPS_MAX &&
                         sluice_iort_its(reader->table, group, i, &number, NULL) == SLUICE_OK;
         i++)
        set |= 1ull << (number % 64);
    return set;
}

/** What an ID is that arrives at this node; false: no message, or none that goes to an ITS. */
static bool arrives(const struct platform_reader *reader, const struct sluice_iort_node *at,
                    uint32_t id, struct piece *out)
{
    struct sluice_iort_mapping mapping;
    struct sluice_iort_node to;

    if (at->type == SLUICE_IORT_ITS_GROUP) {
        *out = (struct piece){id, UINT32_MAX - id, controllers_of(reader, at)};
        return out->controllers != 0;
    }
    for (uint32_t i = 0; reader->platform->sender_steps++ < STEPS_MAX &&
                         sluice_iort_mapping(reader->table, at, i, &mapping, NULL) == SLUICE_OK;
         i++) {
        uint32_t inside = id - mapping.input_base;

        if ((mapping.flags & SINGLE_MAPPING) != 0 || id < mapping.input_base ||
            inside > mapping.count || mapping.output_base > UINT32_MAX - mapping.count)
            continue;
        if (sluice_iort_at(reader->table, mapping.reference, &to, NULL) != SLUICE_OK ||
            to.type != SLUICE_IORT_ITS_GROUP)
            return false;
        *out = (struct piece){mapping.output_base + inside, mapping.count - inside,
                              controllers_of(reader, &to)};
        return out->controllers != 0;
    }
    return false;
}

enum sluice_status platform_iort_functions(const struct platform_reader *reader,
                                           const struct sluice_iort_node *node,
                                           const struct sluice_iort_mapping *mapping,
                                           const struct sluice_iort_node *to)
{
    enum sluice_status status = SLUICE_OK;
    uint64_t last = (uint64_t)mapping->input_base + mapping->count;
    uint64_t rid = mapping->input_base;
    struct piece piece;

    if ((mapping->flags & SINGLE_MAPPING) != 0 || node->segment > 0xffffu ||
        (uint64_t)mapping->output_base + mapping->count > UINT32_MAX)
        return SLUICE_OK;
    last = last > 0xffffu ? 0xffffu : last;
    for (unsigned i = 0; i < PIECES_MAX && status == SLUICE_OK && rid <= last; i++) {
        uint32_t id = mapping->output_base + (uint32_t)(rid - mapping->input_base);

        if (!arrives(reader, to, id, &piece))
            break;
        piece.more = piece.more > last - rid ? (uint32_t)(last - rid) : piece.more;
        status = platform_make_senders(reader->sluice, reader->platform,
                                       &(struct platform_senders){
                                           .kind = SLUICE_MESSAGES_GIC_ITS,
                                           .on_pci = true,
                                           .segment = (uint16_t)node->segment,
                                           .first_rid = (uint16_t)rid,
                                           .count = piece.more + 1,
                                           .first_id = piece.first_id,
                                           .controllers = piece.controllers,
                                       });
        rid += (uint64_t)piece.more + 1;
    }
    return status;
}

enum sluice_status platform_iort_device(const struct platform_reader *reader,
                                        struct platform_scope *scope,
                                        const struct sluice_iort_node *to)
{
    struct piece piece;

    if (!arrives(reader, to, scope->first_id, &piece) || piece.more < scope->id_count - 1)
        return SLUICE_OK;
    scope->tells_senders = true;
    return platform_make_senders(reader->sluice, reader->platform,
                                 &(struct platform_senders){
                                     .kind = SLUICE_MESSAGES_GIC_ITS,
                                     .count = scope->id_count,
                                     .first_id = piece.first_id,
                                     .controllers = piece.controllers,
                                 });
}
