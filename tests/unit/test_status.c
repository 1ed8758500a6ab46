// SPDX-License-Identifier: MIT
/*
 * Every status has a name and a sentence of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sluice/status.h>

static void every_status_has_its_own_text(void **state)
{
    (void)state;
    for (int i = 0; i < SLUICE_STATUS_COUNT; i++) {
        assert_string_not_equal(sluice_status_name((enum sluice_status)i), "SLUICE_ERR_?");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(sluice_status_text((enum sluice_status)i),
                                    sluice_status_text((enum sluice_status)j));
    }
}

static void out_of_range_is_said_to_be_unknown(void **state)
{
    (void)state;
    assert_string_equal(sluice_status_name((enum sluice_status)9999), "SLUICE_ERR_?");
    assert_string_equal(sluice_status_text(SLUICE_STATUS_COUNT), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_text),
        cmocka_unit_test(out_of_range_is_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
