// SPDX-License-Identifier: MIT
// Reserved regions out of tables: made by hand, whole, cut at every length and with lengths that
// lie.
#include "explain_helper.h"
#include "reserved.h"

static void put(unsigned char *bytes, size_t at, uint64_t value, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        bytes[at + i] = (unsigned char)(value >> 8 * i);
}

static void make_dmar(unsigned char table[88])
{
    memset(table, 0, 88);
    memcpy(table, "DMAR", 4);
    put(table, 4, 88, 4);
    table[36] = 38;
    put(table, 48, 0, 2); // DRHD
    put(table, 50, 16, 2);
    put(table, 64, 1, 2); // RMRR
    put(table, 66, 24, 2);
    put(table, 72, 0x7b000000, 8);
    put(table, 80, 0x7b00ffff, 8);
}

static void make_ivrs(unsigned char table[80])
{
    memset(table, 0, 80);
    memcpy(table, "IVRS", 4);
    put(table, 4, 80, 4);
    table[48] = 0x21;
    put(table, 50, 32, 2);
    put(table, 64, 0x5000, 8);
    put(table, 72, 0x2000, 8);
}

static void make_iort(unsigned char table[96])
{
    memset(table, 0, 96);
    memcpy(table, "IORT", 4);
    put(table, 4, 96, 4);
    put(table, 36, 1, 4);
    put(table, 40, 48, 4);
    table[48] = 6; // RMR
    put(table, 49, 48, 2);
    put(table, 68, 1, 4);
    put(table, 72, 28, 4);
    put(table, 76, 0x90000000, 8);
    put(table, 84, 0x10000, 8);
}

static void expect(unsigned char *table, size_t length_bytes, uint64_t start, uint64_t last)
{
    struct context *context = calloc(1, sizeof(*context));

    assert_true(reserved_read_table(context, table, length_bytes));
    assert_int_equal(context->region_count, 1);
    assert_int_equal(context->regions[0].start, start);
    assert_int_equal(context->regions[0].last, last);
    free(context);
}

// No prefix of the table, in a buffer of exactly that size, may be read past or be accepted.
static void expect_cut(const unsigned char *table, size_t length_bytes)
{
    struct context *context = calloc(1, sizeof(*context));

    for (size_t cut = 0; cut < length_bytes; cut++) {
        unsigned char *copy = malloc(cut + 1);
        unsigned char *exact = realloc(copy, cut == 0 ? 1 : cut);

        memcpy(exact, table, cut);
        assert_false(reserved_read_table(context, exact, cut));
        if (cut >= 8) { // the same with a header that agrees with the cut
            put(exact, 4, cut, 4);
            (void)reserved_read_table(context, exact, cut);
        }
        free(exact);
    }
    assert_int_equal(context->region_count, 0);
    free(context);
}

static void test_dmar(void **state)
{
    unsigned char table[88];
    struct context *context = calloc(1, sizeof(*context));

    (void)state;
    make_dmar(table);
    expect(table, sizeof(table), 0x7b000000, 0x7b00ffff);
    expect_cut(table, sizeof(table));
    assert_true(reserved_read_table(context, table, sizeof(table)));
    assert_int_equal(context->address_bits, 39);
    put(table, 66, 0, 2); // a structure of length 0 must not loop
    assert_false(reserved_read_table(context, table, sizeof(table)));
    put(table, 66, 0xffff, 2);
    assert_false(reserved_read_table(context, table, sizeof(table)));
    make_dmar(table);
    put(table, 80, 0x1000, 8); // ends before it starts
    memset(context, 0, sizeof(*context));
    assert_true(reserved_read_table(context, table, sizeof(table)));
    assert_int_equal(context->region_count, 0);
    free(context);
}

static void test_ivrs(void **state)
{
    unsigned char table[80];
    struct context *context = calloc(1, sizeof(*context));

    (void)state;
    make_ivrs(table);
    expect(table, sizeof(table), 0x5000, 0x6fff);
    expect_cut(table, sizeof(table));
    put(table, 72, UINT64_MAX, 8); // wraps
    assert_true(reserved_read_table(context, table, sizeof(table)));
    assert_int_equal(context->region_count, 0);
    free(context);
}

static void test_iort(void **state)
{
    unsigned char table[96];
    struct context *context = calloc(1, sizeof(*context));

    (void)state;
    make_iort(table);
    expect(table, sizeof(table), 0x90000000, 0x9000ffff);
    expect_cut(table, sizeof(table));
    put(table, 68, UINT32_MAX, 4); // more descriptors than there is room
    expect(table, sizeof(table), 0x90000000, 0x9000ffff);
    put(table, 72, UINT32_MAX, 4);
    assert_true(reserved_read_table(context, table, sizeof(table)));
    assert_int_equal(context->region_count, 0);
    free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dmar),
        cmocka_unit_test(test_ivrs),
        cmocka_unit_test(test_iort),
    };

    return cmocka_run_group_tests_name("explain_reserved", tests, NULL, NULL);
}
