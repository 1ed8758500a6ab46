// SPDX-License-Identifier: MIT
/*
 * Nested domains on a RISC-V IOMMU: what is its own beside test_nested.c. First stages without a
 * directory, directories, what each invalidation takes and what it leaves, and whose fault it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_story.h"

/* Tables without a directory; another tag or another page is not what is forgotten. */
static void one_table(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct riscv_model_stats before, after;
    struct sluice_domain *nested;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    nested = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    guest_map(&story.guest, 0, guest_address(GUEST_OTHER), true);
    story_forget(nested, SLUICE_NESTED_TAG, GUEST_ASID + 1, 0);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID + 1, GUEST_VA);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA + SLUICE_PAGE_BYTES);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA - SLUICE_PAGE_BYTES);
    story_forget(nested, SLUICE_NESTED_CONTEXTS, GUEST_ASID, GUEST_VA);
    assert_int_equal(story_reads(&story), 0x44);
    before = story_stats(&story);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA);
    after = story_stats(&story);
    assert_int_equal(story_reads(&story), 0x55);
    assert_int_equal(after.inval_guest, before.inval_guest + 1);
    assert_int_equal(after.inval_address, before.inval_address + 1);
    assert_int_equal(after.commands, before.commands + 2); /* and a fence */
    scene_forget(story.device);
    story.device = scene_device(&story.scene, STORY_RID_A);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* No first stage at all: what the guest's IOMMU does before it is set up. */
static void bare(void **state)
{
    struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct sluice_domain *nested, *stage;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    stage = story_nest(&story.guest, &info);
    info.riscv = (struct sluice_nested_riscv){.first_stage = 0x123456, .tag = 5}; /* ignored */
    nested = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)), 0x55);
    assert_int_equal(story_reads(&story), -1);
    assert_int_equal(sluice_domain_attach(stage, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)), -1);
    story_forget(nested, SLUICE_NESTED_EVERYTHING, 0, 0);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), -1);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(stage), SLUICE_OK);
    story_end(&story);
}

/* ---- process directories ---- */

static void directory(void **state)
{
    struct sluice_nested_info info = guest_info();
    struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_CONTEXTS, .pasid = 2};
    struct sluice_domain *nested, *without;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    guest_context(&story.guest, 2, guest_address(GUEST_L1), GUEST_ASID + 2);
    nested = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    assert_int_equal(story_reads_process(&story, 2), 0x44);
    assert_int_equal(story_reads_process(&story, 1), -1);
    assert_int_equal(story.cause, STORY_PDT_INVALID);
    assert_int_equal(story_reads_process(&story, 256), -1);
    assert_int_equal(story.cause, STORY_TYPE);
    guest_context(&story.guest, 2, STORY_NOWHERE, GUEST_ASID + 3);
    assert_int_equal(story_reads_process(&story, 2), 0x44);
    item.pasid = 0;
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    assert_int_equal(story_reads_process(&story, 2), 0x44);
    item.pasid = 2;
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    assert_int_equal(story_reads_process(&story, 2), -1);
    assert_int_equal(story.cause, STORY_READ_GUEST_PAGE);
    assert_int_equal(story_reads(&story), 0x44);
    /* One that no directory of this width has is all of them. */
    guest_context(&story.guest, 2, guest_address(GUEST_L1), GUEST_ASID + 2);
    item.pasid = 256;
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    assert_int_equal(story_reads_process(&story, 2), 0x44);
    /* Requests without a process ID have no first stage, if the guest says so. */
    info.riscv.default_process = false;
    without = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(without, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), -1);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_A, guest_address(GUEST_OTHER)), 0x55);
    assert_int_equal(story_reads_process(&story, 2), 0x44);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(story_reads_process(&story, 2), -1);
    assert_int_equal(sluice_domain_destroy(without), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* A directory of three levels, where each table's address is the guest's. */
static void deep_directory(void **state)
{
    struct sluice_nested_info info = guest_info();
    struct sluice_pages tables[2];
    struct sluice_domain *nested;
    struct story story = {.unit = guest_unit()};
    const sluice_iova_t at[2] = {guest_address(GUEST_PAGES), guest_address(GUEST_PAGES + 1)};
    const uint32_t process = 0x20001; /* second entry of the root, first of the next, second */

    (void)state;
    story_begin(&story);
    for (unsigned i = 0; i < 2; i++) {
        tables[i] = scene_page(&story.scene, 0);
        scene_map(story.guest.parent, at[i], &tables[i]);
    }
    ((uint64_t *)tables[0].virt)[1] = at[1] >> 12 << 10 | 1;
    ((uint64_t *)tables[1].virt)[0] = guest_address(GUEST_CONTEXTS) >> 12 << 10 | 1;
    guest_context(&story.guest, 1, guest_address(GUEST_L1), GUEST_ASID);
    info.riscv.first_stage = 3ull << 60 | at[0] >> 12;
    nested = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads_process(&story, process), 0x44);
    assert_int_equal(story_reads_process(&story, process + 1), -1);
    assert_int_equal(story_reads(&story), -1); /* process 0 has no table */
    assert_int_equal(story.cause, STORY_PDT_INVALID);
    /* A table of the host's, by its own address. */
    ((uint64_t *)tables[0].virt)[1] = tables[1].phys >> 12 << 10 | 1;
    story_forget(nested, SLUICE_NESTED_EVERYTHING, 0, 0);
    assert_int_equal(story_reads_process(&story, process), -1);
    assert_int_equal(story.cause, STORY_READ_GUEST_PAGE);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sluice_domain_unmap(story.guest.parent, at[i], SLUICE_PAGE_BYTES, NULL),
                         SLUICE_OK);
        scene_page_free(&story.scene, tables[i]);
    }
    story_end(&story);
}

/* ---- what goes with what ---- */

/* Another page behind the same guest address: of a root, of a directory, of what is in between. */
static void parent_replaces(void **state)
{
    static const unsigned replaced[] = {GUEST_CONTEXTS, GUEST_L1, GUEST_L3, GUEST_DATA};
    const struct sluice_nested_info infos[] = {guest_info(), story_one_stage(GUEST_L1, GUEST_ASID)};
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    for (unsigned i = 0; i < 8; i++) {
        unsigned page = replaced[i % 4];
        struct sluice_pages old = story.guest.pages[page], new = scene_page(&story.scene, 0);
        struct sluice_domain *nested = story_nest(&story.guest, &infos[i / 4]);

        assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
        assert_int_equal(story_reads(&story), 0x44);
        assert_int_equal(
            sluice_domain_unmap(story.guest.parent, guest_address(page), SLUICE_PAGE_BYTES, NULL),
            SLUICE_OK);
        scene_map(story.guest.parent, guest_address(page), &new);
        /* The guest has told nothing but of translations. */
        story_forget(nested, SLUICE_NESTED_TAG, GUEST_ASID, 0);
        assert_int_equal(story_reads(&story), page == GUEST_DATA ? 0 : i == 4 ? 0x44 : -1);
        assert_int_equal(
            sluice_domain_unmap(story.guest.parent, guest_address(page), SLUICE_PAGE_BYTES, NULL),
            SLUICE_OK);
        scene_map(story.guest.parent, guest_address(page), &old);
        scene_page_free(&story.scene, new);
        assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
        assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    }
    story_end(&story);
}

/* What one guest forgets, another keeps; and so does another domain. */
static void guests_apart(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct sluice_domain *nested, *neighbour;
    struct sluice_device *b;
    struct guest other;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    guest_make(&other, &story.scene);
    b = scene_device(&story.scene, STORY_RID_B);
    nested = story_nest(&story.guest, &info);
    neighbour = story_nest(&other, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(neighbour, b), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_B, GUEST_VA), 0x44);
    /* Nothing was forgotten of the neighbour, as is seen by its going stale. */
    guest_map(&other, 0, guest_address(GUEST_OTHER), true);
    story_forget(nested, SLUICE_NESTED_EVERYTHING, 0, 0);
    story_forget(nested, SLUICE_NESTED_TAG, GUEST_ASID, 0);
    story_forget(nested, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA);
    assert_int_equal(sluice_domain_unmap(story.guest.parent, guest_address(GUEST_OTHER),
                                         SLUICE_PAGE_BYTES, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_B, GUEST_VA), 0x44);
    story_forget(neighbour, SLUICE_NESTED_RANGE, GUEST_ASID, GUEST_VA);
    assert_int_equal(scene_reads(&story.scene, MACHINE_DEV_B, GUEST_VA), 0x55);
    scene_forget(b);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(neighbour), SLUICE_OK);
    guest_free(&other);
    story_end(&story);
}

/* What a unit keeps although it said that it forgot it does not outlive the next attachment. */
static void left_behind(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct sluice_domain *nested;
    struct sluice_device *b;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    nested = story_nest(&story.guest, &info);
    b = scene_device(&story.scene, STORY_RID_B); /* so that the guest's tag stays */
    assert_int_equal(sluice_domain_attach(nested, b), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    riscv_model_inject(story.model, &(struct riscv_model_injection){.lost_invalidations = true});
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    riscv_model_inject(story.model, &(struct riscv_model_injection){.lost_invalidations = false});
    guest_map(&story.guest, 0, guest_address(GUEST_OTHER), true);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x55);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    scene_forget(b);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* A unit with ranges: one command, whatever the guest's list says. */
static void ranges(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    struct sluice_nested_invalidation item = {.what = SLUICE_NESTED_RANGE,
                                              .tag = GUEST_ASID,
                                              .first = GUEST_VA,
                                              .last = GUEST_VA + 0x1fffff};
    struct riscv_model_stats before, after;
    struct sluice_domain *nested;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story.unit.riscv.ranges = story.unit.riscv.nonleaf = true;
    story_begin(&story);
    nested = story_nest(&story.guest, &info);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    assert_int_equal(story_reads(&story), 0x44);
    guest_map(&story.guest, 0, guest_address(GUEST_OTHER), true);
    before = story_stats(&story);
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    after = story_stats(&story);
    assert_int_equal(after.inval_range, before.inval_range + 1);
    assert_int_equal(after.inval_guest, before.inval_guest + 1);
    assert_int_equal(story_reads(&story), 0x55);
    /* Tables that are no leaves go as well: the unit may be asked for that. */
    guest_map(&story.guest, 0, guest_address(GUEST_DATA), true);
    memset(story.guest.pages[GUEST_L2].virt, 0, SLUICE_PAGE_BYTES);
    item.first = 0;
    item.last = UINT64_MAX;
    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
    assert_int_equal(story_reads(&story), -1);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

/* ---- faults ---- */

static void expect_fault(struct story *story, sluice_iova_t at, bool write, unsigned code,
                         enum sluice_fault_stage stage)
{
    unsigned before = story->scene.faults;

    if (write)
        assert_false(scene_writes(&story->scene, MACHINE_DEV_A, at, &story->guest.pages[0]));
    else
        assert_int_equal(scene_reads(&story->scene, MACHINE_DEV_A, at), -1);
    (void)sluice_fault_poll(story->scene.sluice);
    assert_int_equal(story->scene.faults, before + 1);
    assert_int_equal(story->scene.fault.hardware_code, code);
    assert_int_equal(story->scene.fault.stage, stage);
    assert_true(story->scene.fault.address_valid);
    assert_true(story->scene.fault.address == at);
}

/* The guest's own are of the first stage; what it has no memory for is of the second. */
static void whose_fault(void **state)
{
    const struct sluice_nested_info info = story_one_stage(GUEST_L1, GUEST_ASID);
    const struct sluice_nested_info processes = guest_info();
    struct sluice_domain *nested, *directory;
    struct story story = {.unit = guest_unit()};

    (void)state;
    story_begin(&story);
    nested = story_nest(&story.guest, &info);
    directory = story_nest(&story.guest, &processes);
    assert_int_equal(sluice_domain_attach(nested, story.device), SLUICE_OK);
    guest_map(&story.guest, 1, guest_address(GUEST_DATA), false);
    guest_map(&story.guest, 2, STORY_NOWHERE, true);
    expect_fault(&story, 0x1000, false, STORY_READ_PAGE, SLUICE_STAGE_FIRST);
    expect_fault(&story, GUEST_VA + 0x1000, true, STORY_WRITE_PAGE, SLUICE_STAGE_FIRST);
    expect_fault(&story, 1ull << 38, false, STORY_READ_PAGE, SLUICE_STAGE_FIRST);
    expect_fault(&story, GUEST_VA + 0x2000, false, STORY_READ_GUEST_PAGE, SLUICE_STAGE_SECOND);
    expect_fault(&story, GUEST_VA + 0x2000, true, STORY_WRITE_GUEST_PAGE, SLUICE_STAGE_SECOND);
    assert_true(story.scene.fault.intermediate_valid && !story.scene.fault.intermediate_of_walk);
    assert_true(story.scene.fault.intermediate == STORY_NOWHERE);
    /* A table that the guest has no memory for, read for a write. */
    ((uint64_t *)story.guest.pages[GUEST_L1].virt)[1] = STORY_NOWHERE >> 12 << 10 | 1;
    expect_fault(&story, 1ull << 30, true, STORY_WRITE_GUEST_PAGE, SLUICE_STAGE_SECOND);
    assert_true(story.scene.fault.intermediate_of_walk);
    assert_true(story.scene.fault.intermediate == STORY_NOWHERE);
    assert_int_equal(sluice_domain_attach(directory, story.device), SLUICE_OK);
    guest_context(&story.guest, 0, STORY_NOWHERE, GUEST_ASID);
    expect_fault(&story, GUEST_VA, false, STORY_READ_GUEST_PAGE, SLUICE_STAGE_SECOND);
    ((uint64_t *)story.guest.pages[GUEST_CONTEXTS].virt)[0] = 0;
    story_forget(directory, SLUICE_NESTED_EVERYTHING, 0, 0);
    expect_fault(&story, GUEST_VA, false, STORY_PDT_INVALID, SLUICE_STAGE_FIRST);
    ((uint64_t *)story.guest.pages[GUEST_CONTEXTS].virt)[0] = 1 | 8; /* reserved */
    expect_fault(&story, GUEST_VA, false, STORY_PDT_BAD, SLUICE_STAGE_FIRST);
    assert_int_equal(sluice_domain_detach(story.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(directory), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(nested), SLUICE_OK);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_table),       cmocka_unit_test(bare),
        cmocka_unit_test(directory),       cmocka_unit_test(deep_directory),
        cmocka_unit_test(parent_replaces), cmocka_unit_test(guests_apart),
        cmocka_unit_test(left_behind),     cmocka_unit_test(ranges),
        cmocka_unit_test(whose_fault),
    };

    return story_on_riscv() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
