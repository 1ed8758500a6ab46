// SPDX-License-Identifier: MIT
/*
 * The devicetree reader of the machines (machines/common/devicetree.c), compiled for the host: what
 * it finds in a tree written by hand here, and that no damage makes it read outside the blob.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "devicetree.h"
#include "options.h"

#define HEADER 40u
#define MOST   1024u

/* options.c asks for it; there is no command line here. */
const char *arch_command_line(void);
const char *arch_command_line(void)
{
    return "";
}

struct writer {
    uint8_t structure[MOST], strings[MOST];
    uint32_t structure_bytes, strings_bytes;
};

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void token(struct writer *w, uint32_t value)
{
    put32(w->structure + w->structure_bytes, value);
    w->structure_bytes += 4;
}

static void bytes(struct writer *w, const void *data, uint32_t count)
{
    for (uint32_t i = 0; i < ((count + 3) & ~3u); i++)
        w->structure[w->structure_bytes++] = i < count ? ((const uint8_t *)data)[i] : 0;
}

static uint32_t length(const char *text)
{
    uint32_t count = 0;
    while (text[count] != '\0')
        count++;
    return count + 1;
}

static void begin(struct writer *w, const char *name)
{
    token(w, 1);
    bytes(w, name, length(name));
}

static void property(struct writer *w, const char *name, const void *data, uint32_t count)
{
    token(w, 3);
    token(w, count);
    token(w, w->strings_bytes);
    bytes(w, data, count);
    for (uint32_t i = 0; i < length(name); i++)
        w->strings[w->strings_bytes++] = (uint8_t)name[i];
}

static void cells(struct writer *w, const char *name, const uint32_t *values, uint32_t count)
{
    uint8_t data[64];
    for (uint32_t i = 0; i < count; i++)
        put32(data + (size_t)4 * i, values[i]);
    property(w, name, data, 4 * count);
}

static void cell(struct writer *w, const char *name, uint32_t value)
{
    cells(w, name, &value, 1);
}

static uint32_t finish(const struct writer *w, uint8_t *out)
{
    const uint32_t strings = HEADER + w->structure_bytes, total = strings + w->strings_bytes;
    const uint32_t header[10] = {0xd00dfeed, total, HEADER, strings,          HEADER,
                                 17,         16,    0,      w->strings_bytes, w->structure_bytes};
    for (unsigned i = 0; i < 10; i++)
        put32(out + (size_t)4 * i, header[i]);
    for (uint32_t i = 0; i < w->structure_bytes; i++)
        out[HEADER + i] = w->structure[i];
    for (uint32_t i = 0; i < w->strings_bytes; i++)
        out[strings + i] = w->strings[i];
    return total;
}

/* A bus with one-cell addresses, a disabled device before the one that counts, a deep node. */
static uint32_t example(uint8_t *out)
{
    static struct writer w;
    w = (struct writer){0};
    begin(&w, "");
    cell(&w, "#address-cells", 2);
    cell(&w, "#size-cells", 2);
    begin(&w, "memory@80000000");
    property(&w, "device_type", "memory", 7);
    cells(&w, "reg", (const uint32_t[]){0, 0x80000000, 1, 0, 8, 0, 0, 0x1000}, 8);
    token(&w, 2);
    begin(&w, "soc");
    cell(&w, "#address-cells", 1);
    cell(&w, "#size-cells", 1);
    begin(&w, "uart@10");
    property(&w, "compatible", "acme,uart\0ns16550a", 19);
    property(&w, "status", "disabled", 9);
    cells(&w, "reg", (const uint32_t[]){0x10, 4}, 2);
    token(&w, 2);
    begin(&w, "uart@20");
    property(&w, "compatible", "acme,uart\0ns16550a", 19);
    cells(&w, "reg", (const uint32_t[]){0x20, 8, 0x40, 16}, 4);
    token(&w, 4); /* nothing: to be skipped */
    token(&w, 2);
    token(&w, 2);
    token(&w, 2);
    token(&w, 9);
    return finish(&w, out);
}

static void finds_what_is_there(void **state)
{
    uint8_t blob[MOST];
    const uint32_t total = example(blob);
    struct devicetree tree;
    struct devicetree_node node = {0};
    struct devicetree_value value;
    uint64_t base, size;
    unsigned nodes = 0;

    (void)state;
    assert_true(devicetree_open(blob, sizeof(blob), &tree));
    assert_int_equal(tree.bytes, total);
    while (devicetree_next(&tree, &node)) {
        static const char *const names[] = {"", "memory@80000000", "soc", "uart@10", "uart@20"};
        static const unsigned depths[] = {0, 1, 1, 2, 2};
        assert_true(nodes < 5);
        assert_string_equal(node.name, names[nodes]);
        assert_int_equal(node.depth, depths[nodes]);
        if (nodes++ != 1)
            continue;
        assert_true(devicetree_property(&tree, &node, "device_type", &value));
        assert_true(devicetree_lists(&value, "memory"));
        assert_false(devicetree_lists(&value, "memo"));
        assert_true(devicetree_reg(&tree, &node, 1, &base, &size));
        assert_true(base == 0x800000000 && size == 0x1000);
        assert_false(devicetree_reg(&tree, &node, 2, &base, &size));
        assert_false(devicetree_property(&tree, &node, "compatible", &value));
    }
    assert_int_equal(nodes, 5);
    assert_true(devicetree_find(&tree, "ns16550a", 0, &node));
    assert_string_equal(node.name, "uart@20");
    assert_true(devicetree_reg(&tree, &node, 1, &base, &size));
    assert_true(base == 0x40 && size == 16);
    assert_false(devicetree_find(&tree, "ns16550a", 1, &node));
    assert_false(devicetree_find(&tree, "16550a", 0, &node));
}

/* Everything that the machines ask, of a blob that may be anything. */
static void use(const uint8_t *blob, size_t limit)
{
    struct devicetree tree;
    struct devicetree_node node = {0};
    struct devicetree_value value;
    uint64_t base, size;
    unsigned steps = 0;

    if (!devicetree_open(blob, limit, &tree))
        return;
    while (devicetree_next(&tree, &node)) {
        assert_true(++steps <= MOST);
        for (unsigned i = 0; i < 4; i++)
            (void)devicetree_reg(&tree, &node, i, &base, &size);
        if (devicetree_property(&tree, &node, "compatible", &value))
            (void)devicetree_lists(&value, "ns16550a");
    }
    (void)devicetree_find(&tree, "ns16550a", 0, &node);
}

/* In a buffer of its own length, so that a sanitizer sees the first byte too many. */
static void try_damaged(const uint8_t *blob, uint32_t total, uint32_t at, uint8_t with)
{
    uint8_t *copy = malloc(total);
    assert_non_null(copy);
    for (uint32_t i = 0; i < total; i++)
        copy[i] = blob[i];
    if (at < total)
        copy[at] = with;
    use(copy, total);
    free(copy);
}

static void damage_is_survived(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x7f, 0x80, 0xff};
    uint8_t blob[MOST];
    const uint32_t total = example(blob);

    (void)state;
    for (uint32_t at = 0; at < total; at++) {
        for (unsigned i = 0; i < sizeof(values); i++)
            try_damaged(blob, total, at, values[i]);
    }
    for (uint32_t bytes_left = 0; bytes_left < total; bytes_left++) {
        struct devicetree tree;
        try_damaged(blob, bytes_left, bytes_left, 0);
        assert_false(devicetree_open(blob, bytes_left, &tree));
    }
}

static void numbers_are_read(void **state)
{
    static const uint8_t data[] = {0, 0, 0, 1, 0, 0, 0, 2, 9};
    const struct devicetree_value value = {data, sizeof(data)};

    (void)state;
    assert_true(devicetree_number(&value, 0, 2) == 0x100000002);
    assert_true(devicetree_number(&value, 1, 1) == 2);
    assert_true(devicetree_number(&value, 1, 2) == 0); /* past the end */
    assert_true(devicetree_number(&value, UINT32_MAX, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(numbers_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
