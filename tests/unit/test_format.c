// SPDX-License-Identifier: MIT
/*
 * The library's own text formatting against the C library's.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/log.h"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[128];                                                                            \
        char theirs[128];                                                                          \
        size_t length = format_text(ours, sizeof(ours), __VA_ARGS__);                              \
        assert_int_equal(length, snprintf(theirs, sizeof(theirs), __VA_ARGS__));                   \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void conversions_match_libc(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%u %d %x", 0u, 0, 0u);
    SAME("%u %d %d %x", UINT_MAX, INT_MIN, INT_MAX, UINT_MAX);
    SAME("%llu %lld %llx", ULLONG_MAX, LLONG_MIN, ULLONG_MAX);
    SAME("%lu %ld %zu", ULONG_MAX, LONG_MIN, (size_t)12345);
    SAME("[%8x] [%08x] [%-8x] [%#x] [%#010x]", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
    SAME("[%5d] [%05d] [%-5d]", -12, -12, -12);
    SAME("[%s] [%6s] [%-6s] %c %%", "abc", "abc", "abc", 'z');
    SAME(LOG_RID, LOG_RID_ARGS(1, SLUICE_RID(0x3a, 0x1f, 7)));
}

static void short_buffers_are_terminated(void **state)
{
    char small[4] = {'x', 'x', 'x', 'x'};

    (void)state;
    assert_int_equal(format_text(small, sizeof(small), "%s", "abcdef"), 6);
    assert_string_equal(small, "abc");
    assert_int_equal(format_text(NULL, 0, "%d", 123), 3);
    assert_int_equal(format_text(small, 1, "%d", 123), 3);
    assert_string_equal(small, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions_match_libc),
        cmocka_unit_test(short_buffers_are_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
