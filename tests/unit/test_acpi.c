// SPDX-License-Identifier: MIT
/*
 * ACPI tables: what the parsers read, what they refuse and where, and what the library makes of
 * them. Tables are made by tests/tables, so that every field can be broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/host.h"
#include "tables/builder.h"

#include <sluice/sluice.h>

/* One structure of each type. */
#define DMAR_TEXT                                                                                  \
    "table DMAR 1\n"                                                                               \
    "u8 width 45\n"                                                                                \
    "u8 flags 5\n"                                                                                 \
    "pad 10\n"                                                                                     \
    "begin drhd\n u16 0\n len16 length\n u8 flags 0\n u8 size 1\n u16 segment 2\n"                 \
    " u64 base 0xfed90000\n"                                                                       \
    " begin scope\n u8 type 2\n len8 length\n u8 0\n u8 0\n u8 id 7\n u8 bus 3\n u8 0x1c\n u8 1\n" \
    " u8 4\n u8 5\n end\n"                                                                         \
    " begin scope\n u8 type 3\n len8 length\n u8 0\n u8 0\n u8 id 9\n u8 bus 0\n u8 0x1e\n u8 7\n" \
    " end\n"                                                                                       \
    "end\n"                                                                                        \
    "begin drhd\n u16 0\n len16 length\n u8 flags 1\n u8 size 0\n u16 segment 2\n"                 \
    " u64 base 0xfed91000\nend\n"                                                                  \
    "begin rmrr\n u16 1\n len16 length\n u16 reserved 0\n u16 segment 2\n"                         \
    " u64 base 0x7b800000\n u64 last 0x7fffffff\n"                                                 \
    " begin scope\n u8 type 1\n len8 length\n u8 0\n u8 0\n u8 id 0\n u8 bus 0\n u8 2\n u8 0\n"    \
    " end\nend\n"                                                                                  \
    "begin atsr\n u16 2\n len16 length\n u8 flags 1\n u8 0\n u16 segment 2\nend\n"                 \
    "begin rhsa\n u16 3\n len16 length\n u32 reserved 0\n u64 base 0xfed90000\n"                   \
    " u32 proximity 3\nend\n"                                                                      \
    "begin andd\n u16 4\n len16 length\n pad 3\n u8 number 6\n text \"\\\\_SB.I2C1\\0\\0\"\nend\n" \
    "begin satc\n u16 5\n len16 length\n u8 flags 1\n u8 0\n u16 segment 2\nend\n"                 \
    "begin sidp\n u16 6\n len16 length\n u16 reserved 0\n u16 segment 2\nend\n"

#define MCFG_TEXT                                                                                  \
    "table MCFG 1\n"                                                                               \
    "pad 8\n"                                                                                      \
    "begin entry\n u64 base 0xe0000000\n u16 segment 2\n u8 first 0\n u8 last 255\n u32 0\nend\n"  \
    "begin entry\n u64 base 0xd0000000\n u16 segment 3\n u8 first 16\n u8 last 31\n u32 0\nend\n"

static void open_built(const struct built_table *built, struct sluice_acpi_table *out)
{
    assert_int_equal(sluice_acpi_open(built->data, built->bytes, out, NULL), SLUICE_OK);
}

static void test_header(void **state)
{
    struct sluice_acpi_error error;
    struct sluice_acpi_table table;
    struct built_table built;

    (void)state;
    table_build(&built, DMAR_TEXT);
    open_built(&built, &table);
    assert_string_equal(table.signature, "DMAR");
    assert_int_equal(table.bytes, built.bytes);
    assert_int_equal(table.revision, 1);
    assert_int_equal(table.checksum_sum, 0);
    assert_string_equal(table.oem_id, "SLUICE");
    assert_string_equal(table.oem_table_id, "BUILDER ");
    assert_string_equal(table.creator_id, "SLUI");
    for (size_t bytes = 0; bytes < built.bytes; bytes++) {
        assert_int_equal(sluice_acpi_open(built.data, bytes, &table, &error), SLUICE_ERR_FIRMWARE);
        assert_int_equal(error.offset, bytes < SLUICE_ACPI_HEADER_BYTES ? 0 : 4);
        assert_non_null(error.what);
    }
    table_build(&built, DMAR_TEXT "set table.length 35\n");
    assert_int_equal(sluice_acpi_open(built.data, built.bytes, &table, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_int_equal(error.offset, 4);
    table_build(&built, DMAR_TEXT "set table.checksum 0\n");
    open_built(&built, &table);
    assert_int_not_equal(table.checksum_sum, 0);
}

static void expect_scopes(const struct sluice_acpi_table *table,
                          const struct sluice_dmar_structure *structure)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_scope scope;

    assert_int_equal(sluice_dmar_scope_next(table, structure, &at, &scope, NULL), SLUICE_OK);
    assert_int_equal(scope.type, SLUICE_DMAR_SCOPE_BRIDGE);
    assert_int_equal(scope.enumeration_id, 7);
    assert_int_equal(scope.start_bus, 3);
    assert_int_equal(scope.path_length, 2);
    assert_int_equal(scope.path[0], 0x1c);
    assert_int_equal(scope.path[3], 5);
    assert_int_equal(scope.offset, table_offset(DMAR_TEXT, "scope"));
    assert_int_equal(sluice_dmar_scope_next(table, structure, &at, &scope, NULL), SLUICE_OK);
    assert_int_equal(scope.type, SLUICE_DMAR_SCOPE_IOAPIC);
    assert_int_equal(scope.enumeration_id, 9);
    assert_int_equal(sluice_dmar_scope_next(table, structure, &at, &scope, NULL),
                     SLUICE_ERR_NOT_FOUND);
}

static void next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *at,
                 struct sluice_dmar_structure *out, uint16_t type)
{
    assert_int_equal(sluice_dmar_next(table, at, out, NULL), SLUICE_OK);
    assert_int_equal(out->type, type);
}

static void test_dmar(void **state)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_structure item;
    struct sluice_dmar_header header;
    struct sluice_acpi_table table;
    struct built_table built;

    (void)state;
    table_build(&built, DMAR_TEXT);
    open_built(&built, &table);
    assert_int_equal(sluice_dmar_header(&table, &header, NULL), SLUICE_OK);
    assert_int_equal(header.host_address_width, 46);
    assert_int_equal(header.flags, SLUICE_DMAR_INTR_REMAP | SLUICE_DMAR_DMA_CTRL_OPT_IN);
    assert_true(header.reserved_clear);
    next(&table, &at, &item, SLUICE_DMAR_DRHD);
    assert_true(item.base == 0xfed90000 && item.segment == 2 && item.size == 1 && item.flags == 0);
    assert_int_equal(item.offset, SLUICE_DMAR_FIRST);
    expect_scopes(&table, &item);
    next(&table, &at, &item, SLUICE_DMAR_DRHD);
    assert_true(item.base == 0xfed91000 && item.flags == 1 && item.bytes == 16);
    next(&table, &at, &item, SLUICE_DMAR_RMRR);
    assert_true(item.base == 0x7b800000 && item.last == 0x7fffffff && item.segment == 2);
    next(&table, &at, &item, SLUICE_DMAR_ATSR);
    assert_true(item.flags == 1 && item.segment == 2);
    next(&table, &at, &item, SLUICE_DMAR_RHSA);
    assert_true(item.base == 0xfed90000 && item.proximity == 3 && item.scopes == 0);
    next(&table, &at, &item, SLUICE_DMAR_ANDD);
    assert_int_equal(item.device_number, 6);
    assert_int_equal(item.name_bytes, strlen("\\\\_SB.I2C1"));
    assert_memory_equal(item.name, "\\\\_SB.I2C1", item.name_bytes);
    next(&table, &at, &item, SLUICE_DMAR_SATC);
    assert_true(item.flags == 1 && item.segment == 2);
    next(&table, &at, &item, SLUICE_DMAR_SIDP);
    assert_int_equal(item.segment, 2);
    assert_int_equal(sluice_dmar_next(&table, &at, &item, NULL), SLUICE_ERR_NOT_FOUND);
    assert_string_equal(sluice_dmar_type_text(5), "SATC");
    assert_string_equal(sluice_dmar_type_text(7), "unknown");
}

/* What is wrong, what is set to what, and where the error is to be. */
struct breakage {
    const char *change;
    const char *field; /**< NULL: at `offset` */
    uint32_t offset;
    bool goes_on; /**< the walk continues behind it */
};

static void expect_refused(const struct breakage *breakage)
{
    char text[4096] = DMAR_TEXT;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_structure item;
    struct sluice_acpi_error error = {0, NULL};
    struct sluice_acpi_table table;
    struct built_table built;
    enum sluice_status status;
    bool refused = false;
    unsigned after = 0;

    strcat(text, breakage->change);
    table_build(&built, text);
    open_built(&built, &table);
    for (unsigned i = 0; i < 64; i++) {
        struct sluice_acpi_cursor scope_at = {0};
        struct sluice_acpi_error seen = {0, NULL};
        struct sluice_dmar_scope scope;

        status = sluice_dmar_next(&table, &at, &item, &seen);
        if (status == SLUICE_ERR_NOT_FOUND)
            break;
        after += refused ? 1 : 0;
        while (status == SLUICE_OK)
            status = sluice_dmar_scope_next(&table, &item, &scope_at, &scope, &seen);
        if (status == SLUICE_ERR_FIRMWARE && !refused) {
            refused = true;
            error = seen;
        }
    }
    assert_int_equal(status, SLUICE_ERR_NOT_FOUND);
    assert_true(refused);
    assert_int_equal(error.offset, breakage->field != NULL
                                       ? table_offset(DMAR_TEXT, breakage->field)
                                       : breakage->offset);
    assert_non_null(error.what);
    assert_true(breakage->goes_on == (after > 0));
}

static void test_dmar_refused(void **state)
{
    const struct breakage breakages[] = {
        {"set drhd.length 0\n", "drhd.length", 0, false},
        {"set drhd.length 3\n", "drhd.length", 0, false},
        {"set drhd.length 0xffff\n", "drhd.length", 0, false},
        {"set scope.length 0\n", "scope.length", 0, true},
        {"set scope.length 5\n", "scope.length", 0, true},
        {"set scope#1.length 9\n", "scope#1.length", 0, true},
        {"set sidp.length 4\n", "sidp.length", 0, true},
        {"set sidp.length 9\n", "sidp.length", 0, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++)
        expect_refused(&breakages[i]);
}

static void test_mcfg(void **state)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_mcfg_entry entry;
    struct sluice_acpi_error error;
    struct sluice_acpi_table table;
    struct built_table built;

    (void)state;
    table_build(&built, MCFG_TEXT);
    open_built(&built, &table);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, NULL), SLUICE_OK);
    assert_true(entry.base == 0xe0000000 && entry.segment == 2 && entry.last_bus == 255);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, NULL), SLUICE_OK);
    assert_true(entry.base == 0xd0000000 && entry.segment == 3 && entry.first_bus == 16);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, NULL), SLUICE_ERR_NOT_FOUND);
    table_build(&built, MCFG_TEXT "pad 5\n");
    open_built(&built, &table);
    at.at = 0;
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_OK);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_OK);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_ERR_FIRMWARE);
    assert_int_equal(error.offset, 76);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_ERR_NOT_FOUND);
    table_build(&built, "table MCFG 1\npad 4\n");
    open_built(&built, &table);
    at.at = 0;
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_ERR_FIRMWARE);
    assert_int_equal(sluice_mcfg_next(&table, &at, &entry, &error), SLUICE_ERR_NOT_FOUND);
}

/* ---- what the library makes of them ---- */

struct library {
    struct model_host *host;
    struct sluice *sluice;
};

static void library_begin(struct library *library)
{
    struct sluice_config config = {0};

    library->host = model_host_create(&(struct model_host_config){.cpus = 1});
    model_host_configure(library->host, &config);
    assert_int_equal(sluice_create(&config, &library->sluice), SLUICE_OK);
}

static void library_end(struct library *library)
{
    assert_int_equal(sluice_destroy(library->sluice), SLUICE_OK);
    assert_int_equal(model_host_objects_in_use(library->host), 0);
    assert_int_equal(model_host_destroy(library->host), 0);
}

static enum sluice_status add(struct library *library, const char *text)
{
    struct built_table built;
    uint8_t *exact;
    enum sluice_status status;

    table_build(&built, text);
    /* Exactly as large as it is, so that a sanitizer sees a read beyond it. */
    exact = malloc(built.bytes);
    assert_non_null(exact);
    memcpy(exact, built.data, built.bytes);
    status = sluice_add_table(library->sluice, exact, built.bytes);
    free(exact);
    return status;
}

static void test_add_table(void **state)
{
    struct library library;

    (void)state;
    library_begin(&library);
    assert_int_equal(add(&library, "table FACP 1\npad 100\n"), SLUICE_OK);
    assert_int_equal(add(&library, DMAR_TEXT "set drhd.length 0\n"), SLUICE_ERR_FIRMWARE);
    assert_true(model_host_logged(library.host, "DMAR: offset 0x32: structure's length"));
    assert_int_equal(add(&library, DMAR_TEXT "set rmrr.base 0x80000000\n"), SLUICE_ERR_FIRMWARE);
    assert_true(model_host_logged(library.host, "ends before it begins"));
    assert_int_equal(add(&library, DMAR_TEXT "set scope#1.length 6\nset table.length 94\n"),
                     SLUICE_ERR_FIRMWARE);
    assert_int_equal(add(&library, DMAR_TEXT "cut 47\n"), SLUICE_ERR_FIRMWARE);
    assert_int_equal(add(&library, MCFG_TEXT "set entry.first 255\nset entry.last 0\n"),
                     SLUICE_ERR_FIRMWARE);
    /* Nothing was kept of those; and what is only odd is taken. */
    assert_int_equal(add(&library, DMAR_TEXT "begin new\n u16 77\n len16 length\n pad 3\nend\n"
                                             "set scope.type 99\nset table.checksum 1\n"),
                     SLUICE_OK);
    assert_true(model_host_logged(library.host, "structure of unknown type 77: skipped"));
    assert_true(model_host_logged(library.host, "device scope of unknown type 99: skipped"));
    assert_true(model_host_logged(library.host, "checksum is wrong"));
    assert_int_equal(add(&library, DMAR_TEXT), SLUICE_ERR_EXISTS);
    assert_int_equal(add(&library, MCFG_TEXT), SLUICE_OK);
    library_end(&library);
}

/* Each allocation fails once: nothing is kept, and the table can be added afterwards. */
static void test_add_table_out_of_memory(void **state)
{
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    struct library library;
    unsigned failures = 0;

    (void)state;
    library_begin(&library);
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        uint64_t before = model_host_objects_in_use(library.host);

        assert_in_range(nth, 0, 50);
        model_host_fail_allocation(library.host, nth, false);
        status = add(&library, DMAR_TEXT);
        model_host_fail_no_more(library.host);
        if (status == SLUICE_OK)
            break;
        failures++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_true(model_host_objects_in_use(library.host) == before);
    }
    /* The copy, two units, a region, an ATSR, three scopes. */
    assert_int_equal(failures, 8);
    library_end(&library);
}

#ifdef SLUICE_UNIT_INTEL
/* Units where none can be: said, and nothing is started. */
static void test_absurd_units(void **state)
{
    const char *const bases[] = {"0", "0xffffffffffffffff", "0xfed90800", "0xfffffffffffff000"};

    (void)state;
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        struct library library;
        char text[4096] = DMAR_TEXT "set drhd.base ";

        library_begin(&library);
        strcat(text, bases[i]);
        strcat(text, "\n");
        assert_int_equal(add(&library, text), SLUICE_OK);
        assert_int_equal(sluice_start(library.sluice), SLUICE_ERR_FIRMWARE);
        assert_true(model_host_logged(library.host, "DMAR: offset 0x30: unit with registers at"));
        assert_int_equal(sluice_unit_count(library.sluice), 0);
        library_end(&library);
    }
}

#endif

static void test_units_at_one_address(void **state)
{
    struct library library;

    (void)state;
    library_begin(&library);
    assert_int_equal(add(&library, DMAR_TEXT "set drhd#1.base 0xfed90000\n"), SLUICE_OK);
    assert_int_equal(sluice_start(library.sluice), SLUICE_ERR_FIRMWARE);
    assert_true(model_host_logged(library.host, "two units with registers at 0xfed90000"));
    library_end(&library);
}

/* ---- RSDP ---- */

#define MEMORY_BYTES 16384u
#define XSDT_AT      4096u
#define RSDT_AT      6144u
#define DMAR_AT      8192u
#define MCFG_AT      12288u

static uint8_t memory[MEMORY_BYTES]; /* physical memory of a machine with nothing but tables */
static unsigned maps;

static const void *map_memory(void *ctx, sluice_phys_t phys, size_t bytes)
{
    (void)ctx;
    if (phys >= MEMORY_BYTES || bytes > MEMORY_BYTES - phys)
        return NULL;
    maps++;
    return memory + phys;
}

static void unmap_memory(void *ctx, const void *virt, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    assert_true((const uint8_t *)virt >= memory && (const uint8_t *)virt < memory + MEMORY_BYTES);
    maps--;
}

static void put(size_t at, const char *text)
{
    struct built_table built;

    table_build(&built, text);
    memcpy(memory + at, built.data, built.bytes);
}

static void rsdp(uint8_t out[36], uint8_t revision)
{
    unsigned sum = 0;

    memset(out, 0, 36);
    memcpy(out, "RSD PTR SLUICE", 14);
    out[8] = 0;
    memcpy(out + 9, "SLUICE", 6);
    out[15] = revision;
    out[17] = RSDT_AT >> 8;
    out[20] = 36;
    out[25] = revision == 0 ? 0 : XSDT_AT >> 8;
    for (unsigned i = 0; i < 20; i++)
        sum += out[i];
    out[8] = (uint8_t)(0u - sum);
    sum = 0;
    for (unsigned i = 0; i < 36; i++)
        sum += out[i];
    out[32] = (uint8_t)(0u - sum);
}

static enum sluice_status add_acpi(const uint8_t pointer[36], bool *out_described)
{
    struct library library;
    enum sluice_status status;

    maps = 0;
    library_begin(&library);
    status = sluice_add_acpi(library.sluice, pointer, map_memory, unmap_memory);
    assert_int_equal(maps, 0);
    /* With units described, start finds no registers; without, it says that there are none. */
    *out_described = sluice_start(library.sluice) != SLUICE_ERR_NOT_FOUND;
    library_end(&library);
    return status;
}

static void test_add_acpi(void **state)
{
    uint8_t pointer[36];
    bool described;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put(XSDT_AT, "table XSDT 1\nu64 0\nu64 12288\nu64 0x123456789000\nu64 8192\n");
    put(RSDT_AT, "table RSDT 1\nu32 8192\n");
    put(DMAR_AT, DMAR_TEXT);
    put(MCFG_AT, MCFG_TEXT);
    for (uint8_t revision = 0; revision <= 2; revision += 2) {
        rsdp(pointer, revision);
        assert_int_equal(add_acpi(pointer, &described), SLUICE_OK);
        assert_true(described);
    }
    pointer[8]++;
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    rsdp(pointer, 2);
    pointer[32]++;
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    rsdp(pointer, 2);
    pointer[0] = 'r';
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    rsdp(pointer, 2);
    put(XSDT_AT, "table XSDT 1\nu64 12288\n");
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_NOT_FOUND);
    put(XSDT_AT, "table XSDT 1\nu64 8192\nu32 0\n");
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    put(XSDT_AT, "table XSDT 1\nu64 8192\nset table.checksum 7\n");
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    assert_false(described);
    put(XSDT_AT, "table XSDT 1\nu64 8192\nset table.length 0xfffffff0\n");
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    put(XSDT_AT, "table XSDT 1\nu64 8192\n");
    put(DMAR_AT, DMAR_TEXT "set table.length 0x7fffffff\n");
    assert_int_equal(add_acpi(pointer, &described), SLUICE_ERR_FIRMWARE);
    assert_false(described);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_dmar),
        cmocka_unit_test(test_dmar_refused),
        cmocka_unit_test(test_mcfg),
        cmocka_unit_test(test_add_table),
        cmocka_unit_test(test_add_table_out_of_memory),
#ifdef SLUICE_UNIT_INTEL
        cmocka_unit_test(test_absurd_units),
#endif
        cmocka_unit_test(test_units_at_one_address),
        cmocka_unit_test(test_add_acpi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
