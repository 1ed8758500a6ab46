// SPDX-License-Identifier: MIT
/*
 * What AMD-Vi reads and writes in memory, bit by bit: commands, device table entries, events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/amd/command.h"
#include "unit/amd/device_table.h"
#include "unit/amd/event.h"
#include "unit/amd/guest.h"
#include "unit/amd/page_request.h"

static void command_is(struct amdvi_command command, uint64_t low, uint64_t high)
{
    assert_int_equal(command.low, low);
    assert_int_equal(command.high, high);
}

static void commands(void **state)
{
    const struct amdvi_device_tlb request = {
        .device = 0x18, .queue = 0x10, .outstanding = 32, .size_lg2 = 13, .address = 0x40002000};

    (void)state;
    command_is(amdvi_command_wait(0x123456788, 0x55), UINT64_C(0x1000000123456789), 0x55);
    command_is(amdvi_command_barrier(), UINT64_C(0x1000000000000004), 0);
    command_is(amdvi_command_nothing(), UINT64_C(0x1000000000000000), 0);
    command_is(amdvi_command_device(0xabcd), UINT64_C(0x200000000000abcd), 0);
    command_is(amdvi_command_pages(7, 0x40001000, 12, false), UINT64_C(0x3000000700000000),
               0x40001000);
    command_is(amdvi_command_pages(7, 0, AMDVI_EVERYTHING_LG2, true), UINT64_C(0x3000000700000000),
               UINT64_C(0x7ffffffffffff003));
    command_is(amdvi_command_device_tlb(&request), UINT64_C(0x4000001020000018), 0x40002001);
    command_is(amdvi_command_interrupts(0x18), UINT64_C(0x5000000000000018), 0);
    command_is(amdvi_command_all(), UINT64_C(0x8000000000000000), 0);
}

/* Read back as hardware does: S, then the lowest clear bit from 12 up. */
static void range_read(uint64_t word, uint64_t *first, uint64_t *last)
{
    unsigned bit = 12;

    if ((word & 1) == 0) {
        *first = word & ~UINT64_C(0xfff);
        *last = *first | 0xfff;
        return;
    }
    while ((word >> bit & 1) != 0)
        bit++;
    *first = bit == 63 ? 0 : word & ~((UINT64_C(2) << bit) - 1);
    *last = bit == 63 ? UINT64_MAX : *first | ((UINT64_C(2) << bit) - 1);
}

static void ranges(void **state)
{
    uint64_t first, last;

    (void)state;
    for (unsigned lg2 = 12; lg2 <= 57; lg2++) {
        uint64_t address = UINT64_C(0xa5a5a5a5a5a5a5a5) & ~((UINT64_C(1) << lg2) - 1);

        range_read(amdvi_command_range(address, lg2), &first, &last);
        assert_int_equal(first, address);
        assert_int_equal(last, address + ((UINT64_C(1) << lg2) - 1));
    }
    range_read(amdvi_command_range(0, AMDVI_EVERYTHING_LG2), &first, &last);
    assert_int_equal(first, 0);
    assert_int_equal(last, UINT64_MAX);
}

static void entry_is(struct amdvi_device_entry entry, uint64_t word0, uint64_t word1)
{
    assert_int_equal(entry.word[0], word0);
    assert_int_equal(entry.word[1], word1);
    assert_int_equal(entry.word[2], 0);
    assert_int_equal(entry.word[3], 0);
}

static void device_entries(void **state)
{
    const struct amdvi_translation plain = {.root = 0x123456000, .levels = 4, .domain = 9};
    const struct amdvi_translation ats = {
        .root = UINT64_C(0xfffffffff000), .levels = 6, .domain = 0xffff, .device_tlb = true};

    (void)state;
    entry_is(amdvi_entry_blocked(), 3, 0);
    entry_is(amdvi_entry_pass(9), UINT64_C(0x6000000000000003), 9);
    entry_is(amdvi_entry_translated(&plain), UINT64_C(0x6000000123456803), 9);
    entry_is(amdvi_entry_translated(&ats), UINT64_C(0x6000fffffffffc03), UINT64_C(0x10000ffff));
}

static struct sluice_fault decoded(uint64_t low, uint64_t high, bool of_device)
{
    struct sluice_fault fault;

    assert_int_equal(amdvi_event_decode(&(struct amdvi_event){low, high}, &fault), of_device);
    assert_non_null(fault.hardware_text);
    return fault;
}

#define PAGE_FAULT (UINT64_C(2) << 60 | 0x18)
#define FLAG(n)    (UINT64_C(1) << (n))

static void page_faults(void **state)
{
    struct sluice_fault fault;

    (void)state;
    fault = decoded(PAGE_FAULT | UINT64_C(7) << 32, 0x40001000, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_NOT_MAPPED);
    assert_int_equal(fault.access, SLUICE_ACCESS_READ);
    assert_int_equal(fault.source, 0x18);
    assert_int_equal(fault.pasid, SLUICE_NO_PASID);
    assert_int_equal(fault.address, 0x40001000);
    assert_true(fault.address_valid);
    assert_int_equal(fault.hardware_code, AMDVI_IO_PAGE_FAULT);
    /* Without PR, neither PE nor RZ count. */
    fault = decoded(PAGE_FAULT | FLAG(54) | FLAG(55), 0, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_NOT_MAPPED);
    fault = decoded(PAGE_FAULT | FLAG(52) | FLAG(53) | FLAG(54), 0x1000, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_WRITE_DENIED);
    assert_int_equal(fault.access, SLUICE_ACCESS_WRITE);
    fault = decoded(PAGE_FAULT | FLAG(52) | FLAG(54), 0x1000, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_READ_DENIED);
    fault = decoded(PAGE_FAULT | FLAG(52) | FLAG(55), 0x1000, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_BAD_ENTRY);
    fault = decoded(PAGE_FAULT | FLAG(51) | FLAG(53), 0xfee00000, true);
    assert_int_equal(fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_false(fault.address_valid);
    fault = decoded(PAGE_FAULT | FLAG(48) | UINT64_C(0x1234) << 32 | UINT64_C(5) << 16, 0, true);
    assert_int_equal(fault.pasid, 0x51234);
}

/* Any 4-bit code and any contents: a text, a known reason, nothing read outside the table. */
static void other_events(void **state)
{
    static const uint64_t contents[] = {0, UINT64_MAX, UINT64_C(0x5a5a5a5a5a5a5a5a)};

    (void)state;
    assert_int_equal(decoded(UINT64_C(1) << 60, 0, true).reason, SLUICE_FAULT_BAD_ENTRY);
    assert_true(decoded(UINT64_C(1) << 60, 0, true).address_valid);
    assert_int_equal(decoded(UINT64_C(3) << 60, 0, true).reason, SLUICE_FAULT_TABLE_ACCESS);
    /* The address of the entry that could not be read is none of the device's. */
    assert_false(decoded(UINT64_C(3) << 60, 0x1000, true).address_valid);
    assert_false(decoded(UINT64_C(4) << 60, 0x1000, true).address_valid);
    assert_int_equal(decoded(UINT64_C(8) << 60, 0, true).reason, SLUICE_FAULT_REQUEST_TYPE);
    assert_int_equal(decoded(UINT64_C(7) << 60, 0x2000, false).reason, SLUICE_FAULT_OTHER);
    for (unsigned code = 0; code < 16; code++) {
        for (unsigned i = 0; i < 3; i++) {
            struct amdvi_event event = {
                (contents[i] & ~AMDVI_MASK(EVENT0_CODE)) | (uint64_t)code << 60, contents[i]};
            struct sluice_fault fault;

            (void)amdvi_event_decode(&event, &fault);
            assert_int_equal(fault.hardware_code, code);
            assert_string_equal(fault.hardware_text, amdvi_event_text(code));
            assert_string_not_equal(sluice_fault_reason_text(fault.reason), "");
        }
    }
    assert_string_equal(amdvi_event_text(0), "unknown event");
    assert_string_equal(amdvi_event_text(UINT32_MAX), "unknown event");
}

/* [AMD 2.2.2.1, 2.2.6.3, 2.4.3] */
static void guest_translation(void **state)
{
    struct amdvi_guest_translation guest = {
        .gcr3_table = UINT64_C(0x000ffffffffff000), .gcr3_levels = 3, .levels = 5};
    struct amdvi_device_entry entry = {{0}};

    (void)state;
    amdvi_entry_add_guest(&entry, &guest);
    assert_true(entry.word[0] == UINT64_C(0x1e80000000000000));
    assert_true(entry.word[1] == UINT64_C(0xfffff800ffff0000));
    assert_true(entry.word[2] == UINT64_C(0x0040000000000000));
    /* Each bit of the address once, in its place. */
    for (unsigned bit = 12; bit < 52; bit++) {
        struct amdvi_device_entry one = {{0}};

        guest = (struct amdvi_guest_translation){
            .gcr3_table = UINT64_C(1) << bit, .gcr3_levels = 1, .levels = 4, .without_pasid = true};
        amdvi_entry_add_guest(&one, &guest);
        assert_true(one.word[0] == (UINT64_C(3) << 54 | (bit < 15 ? FLAG(bit + 46) : 0)));
        assert_true(one.word[1] == (bit < 15 ? 0 : bit < 31 ? FLAG(bit + 1) : FLAG(bit + 12)));
        assert_true(one.word[2] == 0);
    }
    assert_true(amdvi_gcr3_entry(UINT64_C(0x123456789000)) == UINT64_C(0x123456789001));
    command_is(amdvi_command_guest_pages(7, 0x54321, 0x40001000, 12), UINT64_C(0x3000000700054321),
               0x40001006);
    command_is(amdvi_command_guest_pages(7, 1, 0, AMDVI_EVERYTHING_LG2),
               UINT64_C(0x3000000700000001), UINT64_C(0x7ffffffffffff007));
}

/* [AMD 2.4.7, 2.6] */
static void page_requests(void **state)
{
    const struct amdvi_page_request_entry entry = {
        .low = UINT64_C(1) << 60 | FLAG(56) | FLAG(54) | FLAG(53) | FLAG(50) | UINT64_C(5) << 42 |
               FLAG(41) | UINT64_C(0x1a5) << 32 | UINT64_C(0x4321) << 16 | 0xabcd,
        .high = UINT64_C(0xfedcba9876543fff),
    };
    struct amdvi_page_request_entry other = entry;
    struct amdvi_page_request request;

    (void)state;
    assert_true(amdvi_page_request_decode(&entry, &request));
    assert_int_equal(request.device, 0xabcd);
    assert_int_equal(request.pasid, 0x54321);
    assert_int_equal(request.group, 0x1a5);
    assert_true(request.last && request.read && request.write);
    assert_false(request.execute || request.privileged);
    assert_true(request.address == UINT64_C(0xfedcba9876543000));
    command_is(amdvi_command_page_response(&request, AMDVI_RESPONSE_INVALID),
               UINT64_C(0x700543210000abcd), UINT64_C(0x000011a500000004));
    /* Without a PASID, to execute, with privilege; not the last. */
    other.low = UINT64_C(1) << 60 | FLAG(49) | FLAG(50) | 0x18;
    assert_true(amdvi_page_request_decode(&other, &request));
    assert_int_equal(request.pasid, SLUICE_NO_PASID);
    assert_true(request.execute && request.privileged && request.read);
    assert_false(request.last || request.write);
    command_is(amdvi_command_page_response(&request, AMDVI_RESPONSE_FAILURE),
               UINT64_C(0x7000000000000018), UINT64_C(0x0000f00000000000));
    /* Malformed, or something else: not served. */
    other.low = entry.low | FLAG(55);
    assert_false(amdvi_page_request_decode(&other, &request));
    assert_int_equal(request.device, 0xabcd);
    other.low = entry.low ^ UINT64_C(3) << 60;
    assert_false(amdvi_page_request_decode(&other, &request));
}

/* The features that QEMU's amd-iommu reports. */
static void decoder(void **state)
{
    char text[160];

    (void)state;
    (void)amdvi_decode("EFR", 0x29d3, text, sizeof(text));
    assert_string_equal(text, "PREFSUP PPRSUP GTSUP IASUP GASUP HESUP HATS=0x2 GATS=0x2");
    assert_int_equal(amdvi_decode("EFR", 0, text, 1), 0);
    assert_string_equal(text, "");
}

/* No two fields of a word overlap, and each has its bits the right way round. */
static void fields_are_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < amdvi_field_count; i++) {
        const struct unit_field *a = &amdvi_fields[i];

        assert_true(a->high >= a->low && a->high < 64);
        for (size_t j = i + 1; j < amdvi_field_count; j++) {
            const struct unit_field *b = &amdvi_fields[j];

            if (strcmp(a->where, b->where) == 0)
                assert_int_equal(UNIT_BITS(a->high, a->low) & UNIT_BITS(b->high, b->low), 0);
        }
    }
    for (size_t i = 0; i < amdvi_register_count; i++)
        assert_int_equal(amdvi_registers[i].offset % amdvi_registers[i].bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),          cmocka_unit_test(ranges),
        cmocka_unit_test(device_entries),    cmocka_unit_test(page_faults),
        cmocka_unit_test(guest_translation), cmocka_unit_test(page_requests),
        cmocka_unit_test(other_events),      cmocka_unit_test(decoder),
        cmocka_unit_test(fields_are_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
