// SPDX-License-Identifier: MIT
#include "devicetree.h"

#include "options.h"
#include "string.h"

#define MAGIC        0xd00dfeedu
#define HEADER_BYTES 40u
#define OLDEST       17u /* [DT 5.2]: the version that has the size of the structure block */

/* What nodes have that do not say [DT 2.3.5]. */
static const struct devicetree_cells default_cells = {2, 1};

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A block of the blob, by its offset and size in the header. */
static bool block(const struct devicetree *tree, unsigned offset_field, unsigned size_field,
                  uint32_t *out_start, uint32_t *out_end)
{
    uint32_t start = read_be32(tree->blob + offset_field);
    uint32_t bytes = read_be32(tree->blob + size_field);
    *out_start = start;
    *out_end = start + bytes;
    return start >= HEADER_BYTES && start <= tree->bytes && bytes <= tree->bytes - start;
}

bool devicetree_open(const void *blob, size_t limit, struct devicetree *out)
{
    *out = (struct devicetree){.blob = blob};
    if (limit < HEADER_BYTES || read_be32(out->blob) != MAGIC)
        return false;
    out->bytes = read_be32(out->blob + 4);
    return out->bytes >= HEADER_BYTES && out->bytes <= limit &&
           read_be32(out->blob + 20) >= OLDEST &&
           block(out, 8, 36, &out->structure, &out->structure_end) &&
           block(out, 12, 32, &out->strings, &out->strings_end);
}

/* The text at this offset when it ends before `end`, else NULL. */
static const char *text_at(const struct devicetree *tree, uint32_t at, uint32_t end)
{
    for (uint32_t i = at; i < end; i++) {
        if (tree->blob[i] == 0)
            return (const char *)tree->blob + at;
    }
    return NULL;
}

bool devicetree_token(const struct devicetree *tree, uint32_t at, struct devicetree_token *out)
{
    uint32_t end = tree->structure_end;
    *out = (struct devicetree_token){0};
    if (at > end || end - at < 4)
        return false;
    out->kind = read_be32(tree->blob + at);
    at += 4;
    if (out->kind == DEVICETREE_BEGIN_NODE) {
        out->name = text_at(tree, at, end);
        if (out->name == NULL)
            return false;
        while (tree->blob[at] != 0)
            at++;
        at++;
    } else if (out->kind == DEVICETREE_PROPERTY) {
        if (end - at < 8)
            return false;
        uint32_t bytes = read_be32(tree->blob + at), name = read_be32(tree->blob + at + 4);
        at += 8;
        if (bytes > end - at || name > tree->strings_end - tree->strings)
            return false;
        out->name = text_at(tree, tree->strings + name, tree->strings_end);
        out->value = (struct devicetree_value){tree->blob + at, bytes};
        at += bytes;
    } else if (out->kind != DEVICETREE_END_NODE && out->kind != DEVICETREE_NOTHING &&
               out->kind != DEVICETREE_END) {
        return false;
    }
    out->next = (at + 3) & ~3u;
    return out->kind != DEVICETREE_PROPERTY || out->name != NULL;
}

bool devicetree_property(const struct devicetree *tree, const struct devicetree_node *node,
                         const char *name, struct devicetree_value *out)
{
    struct devicetree_token token;
    for (uint32_t at = node->at; devicetree_token(tree, at, &token); at = token.next) {
        if (token.kind == DEVICETREE_PROPERTY && text_equal(token.name, name)) {
            *out = token.value;
            return true;
        }
        if (token.kind != DEVICETREE_PROPERTY && token.kind != DEVICETREE_NOTHING)
            return false; /* properties come before children [DT 5.4.2] */
    }
    return false;
}

static uint32_t cells_of(const struct devicetree *tree, const struct devicetree_node *node,
                         const char *name, uint32_t otherwise)
{
    struct devicetree_value value;
    uint32_t cells;
    if (!devicetree_property(tree, node, name, &value) || value.bytes != 4)
        return otherwise;
    cells = read_be32(value.data);
    return cells <= 3 ? cells : otherwise;
}

bool devicetree_next(const struct devicetree *tree, struct devicetree_node *node)
{
    struct devicetree_token token;
    bool first = node->at == 0;
    uint32_t at = first ? tree->structure : node->next;
    unsigned depth = first ? 0 : node->depth + 1; /* of a child of this node */
    for (; devicetree_token(tree, at, &token); at = token.next) {
        if (token.kind == DEVICETREE_END)
            return false;
        if (token.kind == DEVICETREE_END_NODE) {
            if (depth == 0)
                return false;
            depth--;
        }
        if (token.kind != DEVICETREE_BEGIN_NODE)
            continue;
        if (depth >= DEVICETREE_DEPTH)
            return false;
        node->name = token.name;
        node->at = node->next = token.next;
        node->depth = depth;
        if (depth == 0)
            node->cells[0] = default_cells;
        node->cells[depth + 1] = (struct devicetree_cells){
            cells_of(tree, node, "#address-cells", default_cells.address),
            cells_of(tree, node, "#size-cells", default_cells.size),
        };
        return true;
    }
    return false;
}

bool devicetree_lists(const struct devicetree_value *value, const char *text)
{
    uint32_t length = 0;
    while (text[length] != '\0')
        length++;
    for (uint32_t at = 0; at < value->bytes;) {
        uint32_t end = at;
        while (end < value->bytes && value->data[end] != 0)
            end++;
        if (end < value->bytes && end - at == length && memcmp(value->data + at, text, length) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

static bool is_disabled(const struct devicetree *tree, const struct devicetree_node *node)
{
    struct devicetree_value status;
    return devicetree_property(tree, node, "status", &status) &&
           !devicetree_lists(&status, "okay") && !devicetree_lists(&status, "ok");
}

bool devicetree_find(const struct devicetree *tree, const char *compatible, unsigned index,
                     struct devicetree_node *out)
{
    struct devicetree_value value;
    *out = (struct devicetree_node){0};
    while (devicetree_next(tree, out)) {
        if (devicetree_property(tree, out, "compatible", &value) &&
            devicetree_lists(&value, compatible) && !is_disabled(tree, out) && index-- == 0)
            return true;
    }
    return false;
}

uint64_t devicetree_number(const struct devicetree_value *value, uint32_t at_cell, uint32_t cells)
{
    uint64_t number = 0;
    if (at_cell > value->bytes / 4 || cells > value->bytes / 4 - at_cell)
        return 0;
    for (uint32_t i = 0; i < cells; i++)
        number = number << 32 | read_be32(value->data + (size_t)4 * (at_cell + i));
    return number;
}

bool devicetree_reg(const struct devicetree *tree, const struct devicetree_node *node,
                    unsigned index, uint64_t *out_base, uint64_t *out_bytes)
{
    struct devicetree_value reg;
    struct devicetree_cells cells = node->cells[node->depth];
    uint32_t step = cells.address + cells.size;
    if (!devicetree_property(tree, node, "reg", &reg) || step == 0 || reg.bytes / 4 / step <= index)
        return false;
    *out_base = devicetree_number(&reg, index * step, cells.address);
    *out_bytes = devicetree_number(&reg, index * step + cells.address, cells.size);
    return true;
}
