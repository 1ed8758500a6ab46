// SPDX-License-Identifier: MIT
/*
 * A reader of flattened devicetrees [DT 5], as little as a board's start needs: nodes in order,
 * properties by name, `reg` with the cell sizes of the node above. Every offset is checked against
 * the blob, every walk ends with it, and nothing is kept between calls. fdt_part.h makes of it what
 * the library's own devicetree part (src/devicetree) stands on.
 */
#ifndef MACHINE_DEVICETREE_H
#define MACHINE_DEVICETREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICETREE_DEPTH 12u

struct devicetree {
    const uint8_t *blob;
    uint32_t bytes;
    uint32_t structure, structure_end; /* offsets into the blob */
    uint32_t strings, strings_end;
};

/** How many 32-bit cells an address and a size take. */
struct devicetree_cells {
    uint32_t address, size;
};

struct devicetree_node {
    const char *name;
    uint32_t at;   /* where its properties begin; 0 before the first node */
    uint32_t next; /* where the walk goes on */
    unsigned depth;
    struct devicetree_cells cells[DEVICETREE_DEPTH + 1]; /* for the children of each node above */
};

struct devicetree_value {
    const uint8_t *data;
    uint32_t bytes;
};

/** What a tree is written in [DT 5.4.1]. */
enum devicetree_token_kind {
    DEVICETREE_BEGIN_NODE = 1,
    DEVICETREE_END_NODE = 2,
    DEVICETREE_PROPERTY = 3,
    DEVICETREE_NOTHING = 4,
    DEVICETREE_END = 9,
};

struct devicetree_token {
    uint32_t kind, next; /* enum devicetree_token_kind; where the next one is */
    const char *name;    /* of a node or a property */
    struct devicetree_value value;
};

/** False when that is no devicetree, or one whose header does not fit `limit` bytes. */
bool devicetree_open(const void *blob, size_t limit, struct devicetree *out);

/** The token at this offset of the blob; false past the end or when it does not fit. */
bool devicetree_token(const struct devicetree *tree, uint32_t at, struct devicetree_token *out);

/** Steps to the next node in order of the tree; begin with {0}. False past the last. */
bool devicetree_next(const struct devicetree *tree, struct devicetree_node *node);

/** The `index`th node that is compatible with this, and not disabled. */
bool devicetree_find(const struct devicetree *tree, const char *compatible, unsigned index,
                     struct devicetree_node *out);

bool devicetree_property(const struct devicetree *tree, const struct devicetree_node *node,
                         const char *name, struct devicetree_value *out);

/** The `index`th range of its `reg`, in bus addresses. */
bool devicetree_reg(const struct devicetree *tree, const struct devicetree_node *node,
                    unsigned index, uint64_t *out_base, uint64_t *out_bytes);

/** `cells` cells from `at` on as one number; 0 past the end. */
uint64_t devicetree_number(const struct devicetree_value *value, uint32_t at_cell, uint32_t cells);

/** Whether one of the strings in a value is this one. */
bool devicetree_lists(const struct devicetree_value *value, const char *text);

#endif
