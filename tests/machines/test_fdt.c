// SPDX-License-Identifier: MIT
/*
 * The machines' stand-in for libfdt (machines/common/fdt_part.c) against libfdt itself: the same
 * nodes, names, properties and offsets from the same blobs; and no damage makes it read outside of
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "builder.h"
#include "fdt_part.h"

/* options.c asks for it; there is no command line here. */
const char *arch_command_line(void);
const char *arch_command_line(void)
{
    return "";
}

static struct tree tree;

/* Both say the same, or both that there is no more. */
static void same_offset(int ours, int theirs)
{
    if (theirs < 0)
        assert_true(ours < 0);
    else
        assert_int_equal(ours, theirs);
}

static unsigned compare_properties(const void *blob, int node)
{
    int at = fdt_first_property_offset(blob, node);
    unsigned count = 0;

    same_offset(machine_fdt_first_property(blob, node), at);
    while (at >= 0) {
        const char *name = NULL, *our_name = NULL;
        int bytes = -1, our_bytes = -1;
        const void *data = fdt_getprop_by_offset(blob, at, &name, &bytes);

        assert_ptr_equal(machine_fdt_property(blob, at, &our_name, &our_bytes), data);
        assert_ptr_equal(our_name, name);
        assert_int_equal(our_bytes, bytes);
        same_offset(machine_fdt_next_property(blob, at), fdt_next_property_offset(blob, at));
        at = fdt_next_property_offset(blob, at);
        count++;
    }
    return count;
}

/* Returns how many properties there are in all. */
static unsigned compare(const void *blob)
{
    int depth = -1, our_depth = -1, node = -1, ours = -1;
    unsigned properties = 0;

    assert_int_equal(machine_fdt_word(blob, 0), fdt_magic(blob));
    assert_int_equal(machine_fdt_word(blob, 1), fdt_totalsize(blob));
    assert_int_equal(machine_fdt_word(blob, 5), fdt_version(blob));
    for (;;) {
        int length = -1, our_length = -1;

        node = fdt_next_node(blob, node, &depth);
        ours = machine_fdt_next_node(blob, ours, &our_depth);
        /* Behind the root libfdt gives an offset, with a depth that says so. */
        if (node < 0 || depth < 0) {
            assert_true(ours < 0 && our_depth < 0);
            return properties;
        }
        assert_int_equal(ours, node);
        assert_int_equal(our_depth, depth);
        assert_ptr_equal(machine_fdt_name(blob, node, &our_length),
                         fdt_get_name(blob, node, &length));
        assert_int_equal(our_length, length);
        properties += compare_properties(blob, node);
    }
}

static void trees_are_the_same(void **state)
{
    static const char *const names[] = {"board", "riscv", "broken"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(tree_named(&tree, names[i]));
        assert_int_equal(machine_fdt_check(tree.blob, tree.bytes), 0);
        assert_true(compare(tree.blob) > 20);
        assert_true(machine_fdt_check(tree.blob, tree.bytes - 1) < 0);
        assert_non_null(machine_fdt_error(machine_fdt_check(tree.blob, 3)));
    }
}

/* Offsets that are nobody's. */
static void odd_offsets(void **state)
{
    const char *name;
    int bytes;

    (void)state;
    assert_true(tree_named(&tree, "board"));
    for (int at = -4; at < 400; at++) {
        bool node = machine_fdt_name(tree.blob, at, NULL) != NULL;
        bool property = machine_fdt_property(tree.blob, at, &name, &bytes) != NULL;

        assert_false(node && property);
        assert_true(node || machine_fdt_first_property(tree.blob, at) < 0);
        assert_true(property || machine_fdt_next_property(tree.blob, at) < 0);
        assert_true(node || at < 0 || machine_fdt_next_node(tree.blob, at, NULL) < 0);
    }
    assert_null(machine_fdt_name(tree.blob, 1 << 30, NULL));
}

/* What passes our check passes libfdt's too, and then reads the same. */
static bool try_damaged(const uint8_t *blob, size_t bytes, size_t at, uint8_t with)
{
    uint8_t *copy = malloc(bytes); /* of its own length, so that a sanitizer sees its end */
    bool good;

    assert_non_null(copy);
    memcpy(copy, blob, bytes);
    copy[at] = with;
    good = machine_fdt_check(copy, bytes) == 0;
    if (good && fdt_check_full(copy, bytes) == 0)
        (void)compare(copy);
    else if (good)
        assert_true(at < fdt_off_dt_struct(blob)); /* header and reservations: not all is used */
    free(copy);
    return good;
}

static void damage_is_survived(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x02, 0x03, 0x09, 0x80, 0xff};
    unsigned refused = 0, taken = 0;

    (void)state;
    assert_true(tree_named(&tree, "riscv"));
    for (size_t at = 0; at < tree.bytes; at += at < 256 ? 1 : 3) {
        for (size_t i = 0; i < sizeof(values); i++) {
            bool good = try_damaged(tree.blob, tree.bytes, at, values[i]);

            refused += !good;
            taken += good;
        }
    }
    assert_true(refused > 100 && taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_the_same),
        cmocka_unit_test(odd_offsets),
        cmocka_unit_test(damage_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
