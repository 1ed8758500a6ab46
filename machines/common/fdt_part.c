// SPDX-License-Identifier: MIT
#include "fdt_part.h"

#include <limits.h>

#include "devicetree.h"

enum {
    ERROR_END = 1, /* nothing more there */
    ERROR_PLACE,   /* no such thing at this offset */
    ERROR_HEADER,
    ERROR_STRUCTURE,
};

uint32_t machine_fdt_word(const void *fdt, unsigned index)
{
    const uint8_t *at = (const uint8_t *)fdt + (size_t)index * 4;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

const char *machine_fdt_error(int error)
{
    static const char *const texts[] = {"no error", "there is no more", "there is no such thing",
                                        "its header does not fit it, or is of another version",
                                        "its nodes and properties do not fit it"};
    unsigned index = error < 0 ? 0u - (unsigned)error : (unsigned)error;
    return index < sizeof(texts) / sizeof(texts[0]) ? texts[index] : "unknown error";
}

/* The token at an offset of the structure block; false when none fits there. */
static bool token_at(const void *fdt, int offset, struct devicetree *tree,
                     struct devicetree_token *out)
{
    if (!devicetree_open(fdt, machine_fdt_word(fdt, 1), tree) || offset < 0 || offset % 4 != 0 ||
        (uint32_t)offset > tree->structure_end - tree->structure)
        return false;
    return devicetree_token(tree, tree->structure + (uint32_t)offset, out);
}

static int offset_of(const struct devicetree *tree, uint32_t at)
{
    return (int)(at - tree->structure);
}

/* Properties come before children, so a node's end is the first of either [DT 5.4.2]. */
static bool in_order(uint32_t kind, uint32_t before)
{
    return kind != DEVICETREE_PROPERTY || before != DEVICETREE_END_NODE;
}

/* The one node that everything is in; it has no name [DT 2.2.1]. */
static bool is_root(const struct devicetree_token *token)
{
    return token->kind == DEVICETREE_BEGIN_NODE && token->name[0] == '\0';
}

int machine_fdt_check(const void *fdt, size_t bytes)
{
    struct devicetree tree;
    struct devicetree_token token;
    uint32_t depth = 0, before = 0;
    if (!devicetree_open(fdt, bytes, &tree) || tree.bytes > INT_MAX || tree.structure % 4 != 0)
        return -ERROR_HEADER;
    for (uint32_t at = tree.structure; devicetree_token(&tree, at, &token); at = token.next) {
        if (token.kind == DEVICETREE_END)
            return depth == 0 && before == DEVICETREE_END_NODE ? 0 : -ERROR_STRUCTURE;
        if (token.kind == DEVICETREE_NOTHING)
            continue;
        if ((depth == 0 && (before != 0 || !is_root(&token))) || !in_order(token.kind, before))
            return -ERROR_STRUCTURE;
        depth += token.kind == DEVICETREE_BEGIN_NODE ? 1u : 0u;
        depth -= token.kind == DEVICETREE_END_NODE ? 1u : 0u;
        before = token.kind;
    }
    return -ERROR_STRUCTURE;
}

int machine_fdt_next_node(const void *fdt, int node, int *depth)
{
    struct devicetree tree;
    struct devicetree_token token;
    if (!token_at(fdt, node < 0 ? 0 : node, &tree, &token))
        return -ERROR_PLACE;
    if (node >= 0 && token.kind != DEVICETREE_BEGIN_NODE)
        return -ERROR_PLACE;
    uint32_t at = node < 0 ? tree.structure : token.next;
    for (; devicetree_token(&tree, at, &token); at = token.next) {
        if (token.kind == DEVICETREE_END)
            return -ERROR_END;
        if (token.kind == DEVICETREE_END_NODE && depth != NULL && --*depth < 0)
            return -ERROR_END;
        if (token.kind != DEVICETREE_BEGIN_NODE)
            continue;
        if (depth != NULL)
            ++*depth;
        return offset_of(&tree, at);
    }
    return -ERROR_STRUCTURE;
}

const char *machine_fdt_name(const void *fdt, int node, int *out_length)
{
    struct devicetree tree;
    struct devicetree_token token;
    int length = 0;
    if (!token_at(fdt, node, &tree, &token) || token.kind != DEVICETREE_BEGIN_NODE)
        return NULL;
    while (token.name[length] != '\0')
        length++;
    if (out_length != NULL)
        *out_length = length;
    return token.name;
}

/* The first property at or behind an offset, before the node's children and its end. */
static int property_from(const struct devicetree *tree, uint32_t at)
{
    struct devicetree_token token;
    for (; devicetree_token(tree, at, &token); at = token.next) {
        if (token.kind == DEVICETREE_PROPERTY)
            return offset_of(tree, at);
        if (token.kind != DEVICETREE_NOTHING)
            return -ERROR_END;
    }
    return -ERROR_STRUCTURE;
}

static int property_behind(const void *fdt, int offset, uint32_t kind)
{
    struct devicetree tree;
    struct devicetree_token token;
    if (!token_at(fdt, offset, &tree, &token) || token.kind != kind)
        return -ERROR_PLACE;
    return property_from(&tree, token.next);
}

int machine_fdt_first_property(const void *fdt, int node)
{
    return property_behind(fdt, node, DEVICETREE_BEGIN_NODE);
}

int machine_fdt_next_property(const void *fdt, int property)
{
    return property_behind(fdt, property, DEVICETREE_PROPERTY);
}

const void *machine_fdt_property(const void *fdt, int property, const char **out_name,
                                 int *out_bytes)
{
    struct devicetree tree;
    struct devicetree_token token;
    if (!token_at(fdt, property, &tree, &token) || token.kind != DEVICETREE_PROPERTY)
        return NULL;
    *out_name = token.name;
    *out_bytes = (int)token.value.bytes;
    return token.value.data;
}
