// SPDX-License-Identifier: MIT
/*
 * The linter: a table that is right has no findings, and each rule finds what it is for, at the
 * field where it is, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tables/builder.h"

#include <sluice/lint.h>

#define SCOPE(name, type, id, bus, device, function)                                               \
    " begin " name "\n u8 type " type "\n len8 length\n u8 flags 0\n u8 reserved 0\n u8 id " id    \
    "\n u8 bus " bus "\n u8 device " device "\n u8 function " function "\n end\n"

#define DMAR_GOOD                                                                                  \
    "table DMAR 1\nu8 width 38\nu8 flags 1\nu8 reserved 0\npad 9\n"                                \
    "begin drhd\n u16 type 0\n len16 length\n u8 flags 0\n u8 size 0\n u16 segment 0\n"            \
    " u64 base 0xfed90000\n" SCOPE(                                                                \
        "igd", "1", "0", "0", "2",                                                                 \
        "0") "end\n"                                                                               \
             "begin drhd\n u16 type 0\n len16 length\n u8 flags 1\n u8 size 0\n u16 segment 0\n"   \
             " u64 base 0xfed91000\n" SCOPE("apic", "3", "2", "0", "0x1e",                         \
                                            "7") SCOPE("hpet", "4", "0", "0", "0x1e", "6")         \
                 SCOPE("i2c", "5", "6", "0", "0x15",                                               \
                       "0") "end\n"                                                                \
                            "begin rmrr\n u16 1\n len16 length\n u16 reserved 0\n u16 segment 0\n" \
                            " u64 base 0x7b800000\n u64 last 0x7fffffff\n" SCOPE(                  \
                                "user", "1", "0", "0", "2",                                        \
                                "0") "end\n"                                                       \
                                     "begin rmrr\n u16 1\n len16 length\n u16 reserved 0\n u16 "   \
                                     "segment 0\n"                                                 \
                                     " u64 base 0x6b800000\n u64 last 0x6b81ffff\n" SCOPE(         \
                                         "usb", "1", "0", "0", "0x14",                             \
                                         "0") "end\n"                                              \
                                              "begin rhsa\n u16 3\n len16 length\n u32 reserved "  \
                                              "0\n u64 base 0xfed90000\n"                          \
                                              " u32 proximity 0\nend\n"                            \
                                              "begin andd\n u16 4\n len16 length\n pad 3\n u8 "    \
                                              "number 6\n text \"\\_SB.I2C1\\0\"\nend\n"

#define IVRS_UNIT(name, type, extra)                                                               \
    "begin " name "\n u8 type " type "\n u8 flags 0\n len16 length\n u16 device 2\n"               \
    " u16 0x40\n u64 base 0xfeb80000\n u16 segment 0\n u16 0\n u32 features 0\n" extra             \
    " begin from\n u8 type 3\n u16 device 8\n u8 0\n end\n"                                        \
    " begin to\n u8 type 4\n u16 device 0xffff\n u8 0\n end\n"                                     \
    " begin apic\n u8 type 72\n u16 0\n u8 0\n u8 handle 33\n u16 0xa0\n u8 variety 1\n end\n"     \
    " begin apic\n u8 type 72\n u16 0\n u8 0\n u8 handle 34\n u16 1\n u8 variety 1\n end\n"        \
    " begin hpet\n u8 type 72\n u16 0\n u8 0\n u8 handle 0\n u16 0xa0\n u8 variety 2\n end\nend\n"
#define IVRS_GOOD                                                                                  \
    "table IVRS 2\nu32 info 0x203043\nu64 reserved 0\n" IVRS_UNIT("old", "0x10", "")               \
        IVRS_UNIT("new", "0x11", " u64 efr 5\n u64 efr2 0\n") IVRS_UNIT(                           \
            "newest", "0x40",                                                                      \
            " u64 efr 5\n u64 efr2 0\n") "begin ivmd\n u8 type 0x21\n u8 flags 8\n len16 "         \
                                         "length\n u16 device 0x800\n u16 aux 0\n"                 \
                                         " u64 0\n u64 base 0x3bc95000\n u64 bytes 0x26000\nend\n"

struct seen {
    unsigned count;
    char rule[64];
    uint32_t offset;
    enum sluice_lint_severity severity;
    uint64_t every; /**< bit: index of each rule that was seen */
};

static unsigned index_of(const char *rule)
{
    enum sluice_lint_severity severity;
    const char *advice;
    const char *name;

    for (unsigned i = 0; sluice_lint_rule(i, &name, &severity, &advice); i++) {
        if (strcmp(name, rule) == 0)
            return i;
    }
    fail_msg("rule %s is not listed", rule);
    return 0;
}

static void collect(void *arg, const struct sluice_lint_finding *finding)
{
    struct seen *seen = arg;

    if (seen->count == 0) {
        (void)snprintf(seen->rule, sizeof(seen->rule), "%s", finding->rule);
        seen->offset = finding->offset;
        seen->severity = finding->severity;
    }
    assert_true(strlen(finding->message) > 0 && strlen(finding->advice) > 0);
    seen->every |= (uint64_t)1 << index_of(finding->rule);
    seen->count++;
}

static void lint(const char *text, struct seen *out)
{
    struct sluice_acpi_table table;
    struct built_table built;
    uint8_t *exact;

    table_build(&built, text);
    exact = malloc(built.bytes);
    assert_non_null(exact);
    memcpy(exact, built.data, built.bytes);
    memset(out, 0, sizeof(*out));
    assert_int_equal(sluice_acpi_open(exact, built.bytes, &table, NULL), SLUICE_OK);
    sluice_lint(&table, collect, out);
    free(exact);
}

static void test_right_tables(void **state)
{
    const char *const files[] = {"iort", "rimt", "viot"};
    struct seen seen;

    (void)state;
    lint(DMAR_GOOD, &seen);
    assert_int_equal(seen.count, 0);
    lint(IVRS_GOOD, &seen);
    assert_int_equal(seen.count, 0);
    lint("table MCFG 1\npad 24\n", &seen);
    assert_int_equal(seen.count, 0);
    for (unsigned i = 0; i < 3; i++) {
        char *text = table_text(files[i]);

        lint(text, &seen);
        assert_int_equal(seen.count, 0);
        free(text);
    }
}

struct breakage {
    const char *table;
    const char *change;
    const char *rule;
    const char *field; /**< where the first finding is; NULL: at `offset` */
    uint32_t offset;
    unsigned count; /**< of findings; 0: one */
};

static const struct breakage breakages[] = {
    {DMAR_GOOD, "set table.checksum 0\n", "checksum", "table.checksum", 0, 0},
    {DMAR_GOOD, "set drhd.length 0\n", "malformed", "drhd.length", 0, 4},
    {DMAR_GOOD, "set igd.length 0\n", "malformed", "igd.length", 0, 0},
    {DMAR_GOOD, "set reserved 1\n", "reserved-bits", "reserved", 0, 0},
    {DMAR_GOOD, "set flags 9\n", "reserved-bits", "flags", 0, 0},
    {DMAR_GOOD, "set drhd.flags 2\n", "reserved-bits", "drhd.flags", 0, 0},
    {DMAR_GOOD, "set igd.reserved 2\n", "reserved-bits", "igd.flags", 0, 0},
    {DMAR_GOOD, "set width 20\n", "address-width-absurd", "width", 0, 0},
    {DMAR_GOOD, "set width 70\n", "address-width-absurd", "width", 0, 0},
    {DMAR_GOOD, "set drhd.base 0\n", "unit-base-zero", "drhd.base", 0, 2},
    {DMAR_GOOD, "set drhd#1.base 0\n", "unit-base-zero", "drhd#1.base", 0, 0},
    {DMAR_GOOD, "set drhd#1.base 0xffffffffffffffff\n", "unit-base-absurd", "drhd#1.base", 0, 0},
    {DMAR_GOOD, "set drhd#1.base 0xfed92800\n", "unit-base-absurd", "drhd#1.base", 0, 0},
    {DMAR_GOOD, "set drhd#1.base 0xfed90000\n", "unit-duplicate", "drhd#1", 0, 0},
    {DMAR_GOOD, "set drhd#1.size 2\n", "unit-size-nonzero", "drhd#1.size", 0, 0},
    {DMAR_GOOD, "set drhd.size 1\n", "unit-size-nonzero", "drhd.size", 0, 2},
    {DMAR_GOOD, "set drhd.flags 1\n", "include-all-twice", "drhd#1", 0, 0},
    {DMAR_GOOD, "set drhd#1.flags 0\n", "include-all-missing", "drhd", 0, 0},
    {DMAR_GOOD, "set drhd.flags 1\nset drhd#1.flags 0\n", "include-all-not-last", "drhd#1", 0, 0},
    {DMAR_GOOD, "set rmrr.last 0x7b000fff\n", "region-inverted", "rmrr.base", 0, 0},
    {DMAR_GOOD, "set rmrr#1.base 0\n", "region-base-zero", "rmrr#1.base", 0, 0},
    {DMAR_GOOD, "set rmrr.base 0x7b800800\n", "region-unaligned", "rmrr.base", 0, 0},
    {DMAR_GOOD, "set rmrr.last 0x7ffffffe\n", "region-unaligned", "rmrr.base", 0, 0},
    {DMAR_GOOD, "set rmrr.last 0x47fffffff\n", "region-huge", "rmrr.base", 0, 0},
    {DMAR_GOOD, "set rmrr#1.last 0x7b800fff\n", "region-overlap", "rmrr#1", 0, 0},
    {DMAR_GOOD, "set igd.device 0x1e\nset igd.function 7\nset igd.type 3\nset igd.id 2\n",
     "scope-duplicate", "apic", 0, 0},
    {DMAR_GOOD, "set igd.device 32\n", "scope-device-absurd", "igd.device", 0, 0},
    {DMAR_GOOD, "set igd.function 8\n", "scope-device-absurd", "igd.device", 0, 0},
    {DMAR_GOOD, "set igd.type 9\n", "scope-type-unknown", "igd", 0, 0},
    {DMAR_GOOD, "set apic.type 1\n", "ioapic-missing", "flags", 0, 0},
    {DMAR_GOOD, "set hpet.type 1\n", "hpet-missing", "flags", 0, 0},
    {DMAR_GOOD, "set flags 2\n", "x2apic-opt-out-alone", "flags", 0, 0},
    {DMAR_GOOD, "set rhsa.base 0xfed93000\n", "affinity-unknown-unit", "rhsa.base", 0, 0},
    {DMAR_GOOD, "set i2c.id 7\n", "acpi-name-missing", "i2c", 0, 0},
    {DMAR_GOOD, "begin more\n u16 99\n len16 length\nend\n", "structure-unknown", "more", 0, 0},
    {DMAR_GOOD,
     "begin drhd\n u16 0\n len16 length\n u8 0\n u8 0\n u16 segment 1\n u64 base 0xfed95000\nend\n",
     "unit-without-devices", "drhd#2", 0, 2},
    {DMAR_GOOD,
     "begin rmrr\n u16 1\n len16 length\n u16 0\n u16 0\n u64 0x1000\n u64 0x1fff\nend\n",
     "region-without-devices", "rmrr#2", 0, 0},
    {DMAR_GOOD,
     "begin drhd\n u16 0\n len16 length\n u8 1\n u8 0\n u16 segment 1\n u64 base 0xfed95000\n"
     " begin none\n u8 1\n len8 length\n u32 0\n end\nend\n",
     "scope-without-path", "none", 0, 0},
    {"table DMAR 1\nu8 width 38\nu8 flags 0\npad 10\n", "", "no-units", NULL, 48, 0},
    {IVRS_GOOD, "set reserved 1\n", "reserved-bits", "reserved", 0, 0},
    {IVRS_GOOD, "set ivmd.length 31\n", "malformed", "ivmd.length", 0, 2},
    {IVRS_GOOD, "set old.base 0\n", "unit-base-zero", "old.base", 0, 3},
    {IVRS_GOOD, "set old.base 0xfeb81000\n", "unit-base-absurd", "old.base", 0, 3},
    {IVRS_GOOD, "set old.base 0xfeb84000\n", "unit-types-disagree", "new.base", 0, 2},
    {IVRS_GOOD, "set newest.efr 6\n", "features-disagree", "newest.efr", 0, 0},
    {IVRS_GOOD, "set newest.type 0x11\n", "unit-duplicate", "newest", 0, 0},
    {IVRS_GOOD, "set to.type 0\n", "range-without-end", "from", 0, 0},
    {IVRS_GOOD, "set from.type 0\n", "range-without-end", "to", 0, 0},
    {IVRS_GOOD, "set to.device 7\n", "range-inverted", "to", 0, 0},
    {IVRS_GOOD, "set apic#1.handle 33\n", "special-duplicate", "apic#1", 0, 0},
    {IVRS_GOOD, "set from.type 9\nset to.type 0\n", "entry-unknown", "from", 0, 0},
    {IVRS_GOOD, "set ivmd.bytes 0\n", "region-empty", "ivmd.bytes", 0, 0},
    {IVRS_GOOD, "set ivmd.bytes 1\n", "region-unaligned", "ivmd.base", 0, 0},
    {IVRS_GOOD, "set ivmd.bytes 0xffffffffffffffff\n", "region-inverted", "ivmd.base", 0, 0},
    {IVRS_GOOD, "set ivmd.type 0x22\n", "range-inverted", "ivmd.device", 0, 0},
    {IVRS_GOOD, "set ivmd.device 7\n", "region-device-uncovered", "ivmd.device", 0, 0},
    {IVRS_GOOD, "set ivmd.type 0x51\n", "structure-unknown", "ivmd", 0, 0},
    {"table IVRS 2\nu32 info 0\nu64 0\n" IVRS_UNIT("old", "0x10", ""),
     "set apic.variety 2\nset apic#1.variety 2\n", "ioapic-missing", NULL, 48, 0},
    {"table IVRS 2\nu32 info 0\nu64 0\n", "", "no-units", NULL, 48, 0},
    {"iort", "set count 8\n", "node-count-wrong", "count", 0, 0},
    {"iort", "set first 40\n", "malformed", "first", 0, 2},
    {"iort", "set rmr.length 8\n", "malformed", "rmr.length", 0, 2},
    {"iort", "set rmrmap.reference 74\n", "reference-broken", "rmrmap.reference", 0, 0},
    {"iort", "set pmcg.reference 1\n", "reference-broken", "pmcg.reference", 0, 0},
    {"iort", "set rcmap.reference 236\n", "reference-to-wrong-kind", "rcmap.reference", 0, 0},
    {"iort", "set smmumap.reference 72\n", "mapping-loop", "smmumap.reference", 0, 0},
    {"iort", "set smmuown.flags 0\n", "mapping-overlap", "smmuown", 0, 0},
    {"iort", "set rcmap.input 0xffffffff\n", "mapping-wraps", "rcmap", 0, 0},
    {"iort", "set smmu3.mappings 3\n", "malformed", "smmu3", 0, 0},
    {"iort", "set smmu3.array 0xfffffff0\n", "malformed", "smmu3", 0, 0},
    {"iort", "set its.items 0x40000001\n", "malformed", "its", 0, 0},
    {"iort", "set smmu3.base 0\n", "unit-base-zero", "smmu3.base", 0, 0},
    {"iort", "set smmu2.base 0x10\n", "unit-base-absurd", "smmu2.base", 0, 0},
    {"iort", "set smmu2.base 0x9050000\n", "unit-duplicate", "smmu2", 0, 0},
    {"iort", "set rmr.base 0x80000800\n", "region-unaligned", "rmr.base", 0, 0},
    {"iort", "set rmr.bytes 0\n", "region-empty", "rmr.bytes", 0, 0},
    {"iort", "set rmr.mappings 0\n", "region-without-devices", "rmr", 0, 0},
    {"iort", "set pmcg.type 9\n", "structure-unknown", "pmcg", 0, 0},
    {"rimt", "set count 3\n", "node-count-wrong", "count", 0, 0},
    {"rimt", "set devmap.reference 50\n", "reference-broken", "devmap.reference", 0, 0},
    {"rimt", "set devmap.reference 176\n", "mapping-loop", "devmap.reference", 0, 0},
    {"rimt", "set rcmap.source 0xffff8000\n", "mapping-wraps", "rcmap", 0, 0},
    {"rimt", "set iommu.base 0\n", "unit-base-zero", "iommu.base", 0, 0},
    {"rimt", "set iommu.base 0x3010001\n", "unit-base-absurd", "iommu.base", 0, 0},
    {"rimt", "set iommu.wires 2\n", "malformed", "iommu", 0, 0},
    {"rimt", "set device.mappings 2\n", "malformed", "device", 0, 0},
    {"rimt", "set device.type 3\n", "structure-unknown", "device", 0, 0},
    {"viot", "set count 5\n", "node-count-wrong", "count", 0, 0},
    {"viot", "set range.reference 80\n", "reference-to-wrong-kind", "range.reference", 0, 0},
    {"viot", "set endpoint.reference 60\n", "reference-broken", "endpoint.reference", 0, 0},
    {"viot", "set range.lastrid 0\nset range.firstrid 1\n", "range-inverted", "range.firstseg", 0,
     0},
    {"viot", "set mmio.base 0\n", "unit-base-zero", "mmio.base", 0, 0},
    {"viot", "set endpoint.length 23\n", "malformed", "endpoint.length", 0, 3},
    {"viot", "set endpoint.type 7\n", "structure-unknown", "endpoint", 0, 0},
};

static bool as_expected(const struct breakage *breakage, const char *text, const struct seen *seen)
{
    size_t at = breakage->field != NULL ? table_offset(text, breakage->field) : breakage->offset;

    return seen->count == (breakage->count != 0 ? breakage->count : 1) &&
           strcmp(seen->rule, breakage->rule) == 0 && seen->offset == at;
}

static void test_each_rule(void **state)
{
    uint64_t every = 0;
    unsigned wrong = 0;
    enum sluice_lint_severity severity;
    const char *advice;
    const char *rule;

    (void)state;
    for (unsigned i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        const struct breakage *breakage = &breakages[i];
        char text[8192];
        struct seen seen;
        char *file = strchr(breakage->table, '\n') == NULL ? table_text(breakage->table) : NULL;

        (void)snprintf(text, sizeof(text), "%s%s", file != NULL ? file : breakage->table,
                       breakage->change);
        free(file);
        lint(text, &seen);
        if (!as_expected(breakage, text, &seen)) {
            print_message("%s: %u findings, the first is %s at %#x\n", breakage->change, seen.count,
                          seen.rule, (unsigned)seen.offset);
            wrong++;
        }
        every |= seen.every;
    }
    assert_int_equal(wrong, 0);
    /* No rule is without a table that breaks it, but the one for absurdly long tables. */
    for (unsigned i = 0; sluice_lint_rule(i, &rule, &severity, &advice); i++) {
        if ((every >> i & 1u) == 0 && strcmp(rule, "too-many-structures") != 0)
            fail_msg("nothing breaks %s", rule);
    }
}

/* More structures than are compared: said, and over in no time. */
static void test_many_structures(void **state)
{
    static uint8_t data[1 << 20];
    struct sluice_acpi_table table;
    struct seen seen = {0};

    (void)state;
    memset(data, 0, sizeof(data));
    memcpy(data, "DMAR", 4);
    data[6] = (uint8_t)(sizeof(data) >> 16);
    data[36] = 38;
    for (size_t at = 48; at + 20 <= sizeof(data); at += 20) {
        data[at] = 3; /* RHSA */
        data[at + 2] = 20;
    }
    assert_int_equal(sluice_acpi_open(data, sizeof(data), &table, NULL), SLUICE_OK);
    sluice_lint(&table, collect, &seen);
    assert_true((seen.every >> index_of("too-many-structures") & 1u) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_tables),
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_many_structures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
