// SPDX-License-Identifier: MIT
/*
 * What the RISC-V IOMMU reads and writes in memory, bit by bit: contexts, directories, commands,
 * MSI page tables, fault records. The numbers were worked out from the specification by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/riscv/command.h"
#include "unit/riscv/context.h"
#include "unit/riscv/fault.h"
#include "unit/riscv/msi.h"

/* [RISC-V IOMMU 5.1] */
static void registers(void **state)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t bytes;
    } rows[] = {
        {"CAPABILITIES", 0, 8}, {"FCTL", 8, 4},          {"DDTP", 16, 8},  {"CQB", 24, 8},
        {"CQH", 32, 4},         {"CQT", 36, 4},          {"FQB", 40, 8},   {"FQH", 48, 4},
        {"FQT", 52, 4},         {"PQB", 56, 8},          {"PQH", 64, 4},   {"PQT", 68, 4},
        {"CQCSR", 72, 4},       {"FQCSR", 76, 4},        {"PQCSR", 80, 4}, {"IPSR", 84, 4},
        {"ICVEC", 760, 8},      {"MSI_CFG_TBL", 768, 8},
    };

    (void)state;
    assert_int_equal(riommu_register_count, sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < riommu_register_count; i++) {
        assert_string_equal(riommu_registers[i].name, rows[i].name);
        assert_int_equal(riommu_registers[i].offset, rows[i].offset);
        assert_int_equal(riommu_registers[i].bytes, rows[i].bytes);
    }
}

/* Of one word, no two fields share a bit, but where a word has two meanings. */
static void fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < riommu_field_count; i++) {
        const struct unit_field *one = &riommu_fields[i];

        assert_true(one->high >= one->low && one->high < 64);
        for (size_t j = i + 1; j < riommu_field_count; j++) {
            const struct unit_field *other = &riommu_fields[j];

            if (strcmp(one->where, other->where) != 0)
                continue;
            assert_string_not_equal(one->name, other->name);
            if (strcmp(one->name, "MRIF") != 0)
                assert_true(one->high < other->low || other->high < one->low);
        }
    }
}

static void context_is(struct riommu_context context, uint64_t tc, uint64_t iohgatp, uint64_t ta,
                       uint64_t fsc)
{
    const uint64_t words[4] = {tc, iohgatp, ta, fsc};

    for (unsigned i = 0; i < RIOMMU_CONTEXT_WORDS; i++)
        assert_int_equal(context.word[i], i < 4 ? words[i] : 0);
}

/* [RISC-V IOMMU 2.1.2, 2.1.3] */
static void contexts(void **state)
{
    const struct riommu_walk sv39 = {.root = 0x123456000, .levels = 3, .tag = 0x9};
    const struct riommu_walk sv57 = {
        .root = UINT64_C(0xfffffffffff000), .levels = 5, .tag = 0xfffff};
    const struct riommu_walk sv48x4 = {.root = 0x40004000, .levels = 4, .tag = 0xffff};

    (void)state;
    context_is(riommu_context_blocked(), 0, 0, 0, 0);
    context_is(riommu_context_pass(), 1, 0, 0, 0);
    context_is(riommu_context_first(&sv39, false), 1, 0, 0x9000, UINT64_C(0x8000000000123456));
    context_is(riommu_context_first(&sv57, true), 3, 0, 0xfffff000, UINT64_C(0xa0000fffffffffff));
    context_is(riommu_context_second(&sv48x4, false), 1, UINT64_C(0x9ffff00000040004), 0, 0);
    context_is(riommu_context_second(&sv48x4, true), 3, UINT64_C(0x9ffff00000040004), 0, 0);
}

/* [RISC-V IOMMU 2.1.1, 2.2.1] */
static void directories(void **state)
{
    (void)state;
    assert_int_equal(riommu_directory_entry(0x123456000), UINT64_C(0x48d15801));
    assert_int_equal(riommu_directory_entry(UINT64_C(0xfffffffffff000)),
                     UINT64_C(0x3ffffffffffc01));
    assert_int_equal(riommu_directory_table(UINT64_C(0xffc0000048d15801)), 0x123456000);
    /* Extended: 9, 9, 6 bits; base: 8, 9, 7. */
    assert_int_equal(riommu_directory_index(true, 2, 0xa5f0c3), 0x14b);
    assert_int_equal(riommu_directory_index(true, 1, 0xa5f0c3), 0x1c3);
    assert_int_equal(riommu_directory_index(false, 2, 0xa5f0c3), 0xa5);
    assert_int_equal(riommu_directory_index(false, 1, 0xa5f0c3), 0x1e1);
    assert_int_equal(riommu_directory_bits(true, 1), 6);
    assert_int_equal(riommu_directory_bits(true, 2), 15);
    assert_int_equal(riommu_directory_bits(true, 3), 24);
    assert_int_equal(riommu_directory_bits(false, 1), 7);
    assert_int_equal(riommu_directory_bits(false, 2), 16);
    assert_int_equal(riommu_directory_bits(false, 3), 24);
    /* Processes: 3, 9, 8 bits. */
    assert_int_equal(riommu_process_index(2, 0xdf0c3), 0x6);
    assert_int_equal(riommu_process_index(1, 0xdf0c3), 0x1f0);
    assert_int_equal(riommu_process_index(0, 0xdf0c3), 0xc3);
}

/* [RISC-V IOMMU 2.1.3.1, 2.1.3.4, 2.2.3] */
static void processes(void **state)
{
    const struct riommu_walk walk = {.root = 0x80000000, .levels = 4, .tag = 0xabcde};
    struct riommu_process_context process = riommu_process_context_make(&walk);
    struct riommu_context context = riommu_context_first(&walk, true);

    (void)state;
    assert_int_equal(process.ta, 0xabcde001);
    assert_int_equal(process.fsc, UINT64_C(0x9000000000080000));
    riommu_context_set_directory(&context, 0x90000000, 1, false);
    context_is(context, 0x23, 0, 0, UINT64_C(0x1000000000090000));
    riommu_context_set_directory(&context, 0x90000000, 3, true);
    context_is(context, 0x223, 0, 0, UINT64_C(0x3000000000090000));
}

/* [RISC-V IOMMU 2.1.3.5, 2.1.3.6; RISC-V AIA 9.5] */
static void msi_tables(void **state)
{
    const struct riommu_walk walk = {.root = 0x40004000, .levels = 3, .tag = 1};
    const struct riommu_msi_window window = {
        .table = 0x70000000, .mask = 0x0f00f, .pattern = 0x123400050};
    struct riommu_context context = riommu_context_second(&walk, false);
    struct riommu_msi_entry entry;

    (void)state;
    riommu_context_set_msi(&context, &window);
    assert_int_equal(context.word[4], UINT64_C(0x1000000000070000));
    assert_int_equal(context.word[5], 0x0f00f);
    assert_int_equal(context.word[6], 0x123400050);
    assert_int_equal(context.word[7], 0);
    assert_true(riommu_msi_matches(UINT64_C(0x12340a053abc), 0x0f00f, 0x123400050));
    assert_false(riommu_msi_matches(UINT64_C(0x12340a153abc), 0x0f00f, 0x123400050));
    assert_int_equal(riommu_msi_file(UINT64_C(0x12340a053abc), 0x0f00f), 0xa3);
    /* The example of the specification: a c f g of a b c d e f g h, with 1 0 1 0 0 1 1 0. */
    assert_int_equal(riommu_msi_file(UINT64_C(0xb6) << 12, 0xa6), 0xf);
    assert_int_equal(riommu_msi_file(UINT64_C(0x84) << 12, 0xa6), 0xa);
    entry = riommu_msi_basic(UINT64_C(0xfffffffffff000));
    assert_int_equal(entry.word[0], UINT64_C(0x3ffffffffffc07));
    assert_int_equal(entry.word[1], 0);
    entry = riommu_msi_mrif(0x12345600, 0x28000000, 0x7ff);
    assert_int_equal(entry.word[0], 0x12345600 >> 2 | 3);
    assert_int_equal(entry.word[1], UINT64_C(0x10000000000003ff) | 0x28000000 >> 2);
    assert_int_equal(offsetof(struct riommu_mrif, part[31].enabled), 504);
}

static void command_is(struct unit_ring_entry command, uint64_t low, uint64_t high)
{
    assert_int_equal(command.low, low);
    assert_int_equal(command.high, high);
}

/* [RISC-V IOMMU 3.1] */
static void commands(void **state)
{
    const struct riommu_tag host = {.id = 0xabcde}, guest = {.second = true, .id = 0xbeef};
    const struct riommu_block page = {.address = 0x123456789000, .lg2 = 12};
    const struct riommu_block range = {.address = 0x40000000, .lg2 = 21, .tables = true};
    const struct riommu_block two = {.address = 0x40000000, .lg2 = 13};

    (void)state;
    command_is(riommu_invalidate_all(false), 0x1, 0);
    command_is(riommu_invalidate_all(true), 0x81, 0);
    command_is(riommu_invalidate_tag(host), UINT64_C(0x1abcde001), 0);
    command_is(riommu_invalidate_tag(guest), UINT64_C(0x0beef00200000081), 0);
    command_is(riommu_invalidate_block(host, &page), UINT64_C(0x1abcde401), 0x123456789000 >> 2);
    command_is(riommu_invalidate_block(guest, &page), UINT64_C(0x0beef00200000481),
               0x123456789000 >> 2);
    command_is(riommu_invalidate_block(host, &range), UINT64_C(0x5abcde401),
               0x400ff000 >> 2 | 0x200);
    command_is(riommu_invalidate_block(host, &two), UINT64_C(0x1abcde401), 0x40000000 >> 2 | 0x200);
    command_is(riommu_fence(), 0x3002, 0);
    command_is(riommu_fence_wire(), 0x3802, 0);
    command_is(riommu_fence_write(0x123456788, 0xdeadbeef), UINT64_C(0xdeadbeef00003402),
               0x123456788 >> 2);
    command_is(riommu_forget_devices(), 0x3, 0);
    command_is(riommu_forget_device(0xabcdef), UINT64_C(0xabcdef0200000003), 0);
    command_is(riommu_forget_process(0xabcdef, 0x12345), UINT64_C(0xabcdef0212345083), 0);
    command_is(riommu_ats_invalidate(0x1234, SLUICE_NO_PASID, 0x40001000, 12),
               UINT64_C(0x0012340000000004), 0x40001000);
    command_is(riommu_ats_invalidate(0x051234, SLUICE_NO_PASID, 0x40000000, 14),
               UINT64_C(0x0512340200000004), 0x40001800);
    command_is(riommu_ats_invalidate(0x1234, SLUICE_NO_PASID, 0, RIOMMU_EVERYTHING_LG2),
               UINT64_C(0x0012340000000004), UINT64_C(0x7ffffffffffff800));
    /* Group 0x155 of process 0x54321: refused, to that process. */
    command_is(riommu_ats_refuse(UINT64_C(0x0012340154321000), 0x7000 | 0x155 << 3 | 7),
               UINT64_C(0x0012340154321084), UINT64_C(0x115500000000));
}

/* Read back as hardware does: ones from bit 12 up, and a zero. */
static void ranges(void **state)
{
    (void)state;
    for (unsigned lg2 = 13; lg2 <= 63; lg2++) {
        uint64_t address = UINT64_C(0xa5a5a5a5a5a5a5a5) & ~((UINT64_C(1) << lg2) - 1);
        uint64_t word = riommu_napot(address, lg2);
        unsigned bit = 12;

        while ((word >> bit & 1) != 0)
            bit++;
        assert_int_equal(bit, lg2 - 1);
        assert_int_equal(word & ~((UINT64_C(1) << lg2) - 1), address);
        assert_int_equal(word & 0xfff, 0);
    }
    assert_int_equal(riommu_napot(0, 64), UINT64_C(0x7ffffffffffff000));
}

static struct sluice_fault decoded(unsigned cause, unsigned type, uint64_t more)
{
    const struct riommu_fault record = {
        {cause | (uint64_t)type << 34 | UINT64_C(0xabcdef) << 40 | more, 0, 0x12345678,
         UINT64_C(0x9876543210000001)}};
    struct sluice_fault fault;

    riommu_fault_decode(&record, &fault);
    assert_int_equal(fault.hardware_code, cause);
    assert_int_equal(fault.source, 0xabcdef);
    return fault;
}

/* [RISC-V IOMMU 3.2] */
static void records(void **state)
{
    static const uint16_t causes[] = {1,   4,   5,   6,   7,   12,  13,  15,  20,  21,
                                      23,  256, 257, 258, 259, 260, 261, 262, 263, 264,
                                      265, 266, 267, 268, 269, 270, 271, 272, 273, 274};
    struct sluice_fault fault;
    unsigned known = 0;

    (void)state;
    for (unsigned cause = 0; cause < 4096; cause++)
        known += strcmp(riommu_cause_text(cause), "unknown cause") != 0;
    assert_int_equal(known, sizeof(causes) / sizeof(causes[0]));
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
        assert_string_not_equal(riommu_cause_text(causes[i]), "unknown cause");
    fault = decoded(13, 2, 0);
    assert_int_equal(fault.reason, SLUICE_FAULT_NOT_MAPPED);
    assert_int_equal(fault.access, SLUICE_ACCESS_READ);
    assert_true(fault.address_valid && fault.address == 0x12345678);
    assert_int_equal(fault.pasid, SLUICE_NO_PASID);
    assert_false(fault.privileged);
    assert_false(fault.intermediate_valid); /* of a guest page fault alone */
    fault = decoded(21, 2, 0);
    assert_true(fault.intermediate_valid && fault.intermediate == UINT64_C(0x9876543210000000));
    assert_true(fault.intermediate_of_walk);
    /* The cause knows better than the type. */
    assert_int_equal(decoded(13, 3, 0).access, SLUICE_ACCESS_READ);
    assert_int_equal(decoded(15, 2, 0).access, SLUICE_ACCESS_WRITE);
    assert_int_equal(decoded(12, 1, 0).access, SLUICE_ACCESS_EXECUTE);
    assert_int_equal(decoded(258, 1, 0).access, SLUICE_ACCESS_EXECUTE);
    assert_int_equal(decoded(258, 2, 0).access, SLUICE_ACCESS_READ);
    assert_int_equal(decoded(258, 3, 0).access, SLUICE_ACCESS_WRITE);
    assert_int_equal(decoded(258, 5, 0).access, SLUICE_ACCESS_EXECUTE);
    assert_int_equal(decoded(258, 7, 0).access, SLUICE_ACCESS_WRITE);
    assert_int_equal(decoded(258, 8, 0).access, SLUICE_ACCESS_UNKNOWN);
    assert_int_equal(decoded(258, 3, 0).reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(decoded(256, 3, 0).reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(decoded(259, 3, 0).reason, SLUICE_FAULT_BAD_ENTRY);
    assert_int_equal(decoded(262, 3, 0).reason, SLUICE_FAULT_INTERRUPT);
    /* No transaction, a reserved one, a message, a custom one: no address. */
    assert_false(decoded(273, 0, 0).address_valid);
    assert_false(decoded(258, 4, 0).address_valid);
    assert_false(decoded(260, 9, 0).address_valid);
    assert_false(decoded(260, 40, 0).address_valid);
    assert_int_equal(decoded(2048, 3, 0).reason, SLUICE_FAULT_OTHER);
    fault = decoded(13, 2, UINT64_C(1) << 32 | UINT64_C(1) << 33 | 0x54321000);
    assert_int_equal(fault.pasid, 0x54321);
    assert_true(fault.privileged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers),   cmocka_unit_test(fields),    cmocka_unit_test(contexts),
        cmocka_unit_test(directories), cmocka_unit_test(processes), cmocka_unit_test(msi_tables),
        cmocka_unit_test(commands),    cmocka_unit_test(ranges),    cmocka_unit_test(records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
