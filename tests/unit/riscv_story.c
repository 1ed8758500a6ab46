// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L /* setenv */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "riscv_story.h"

void story_begin(struct story *story)
{
    struct scene_config config = guest_machine(&story->unit);

    scene_start(&story->scene, &config);
    story->model = story->scene.machine->unit;
    guest_make(&story->guest, &story->scene);
    story->device = scene_device(&story->scene, STORY_RID_A);
}

void story_end(struct story *story)
{
    scene_forget(story->device);
    guest_free(&story->guest);
    scene_finish(&story->scene);
}

struct sluice_nested_info story_one_stage(unsigned page, uint32_t tag)
{
    return (struct sluice_nested_info){
        .format = SLUICE_NESTED_RISCV,
        .riscv = {.first_stage = 8ull << 60 | guest_address(page) >> 12, .tag = tag}};
}

struct sluice_domain *story_nest(struct guest *guest, const struct sluice_nested_info *info)
{
    struct sluice_domain *nested;

    assert_int_equal(sluice_domain_create_nested(guest->parent, info, &nested), SLUICE_OK);
    return nested;
}

int story_reads(struct story *story)
{
    return scene_reads(&story->scene, MACHINE_DEV_A, GUEST_VA);
}

int story_reads_process(struct story *story, uint32_t process)
{
    const struct model_dma_request request = {.rid = STORY_RID_A,
                                              .address = GUEST_VA,
                                              .has_pasid = process != SLUICE_NO_PASID,
                                              .pasid = process};
    struct model_dma_result result;
    uint8_t byte = 0;
    bool done = riscv_model_dma(story->model, &request, &byte, 1, &result);

    story->cause = (unsigned)result.reason;
    return done ? byte : -1;
}

void story_forget(struct sluice_domain *nested, enum sluice_nested_what what, uint32_t tag,
                  sluice_iova_t at)
{
    const struct sluice_nested_invalidation item = {.what = what,
                                                    .pasid = SLUICE_NO_PASID,
                                                    .tag = tag,
                                                    .first = at,
                                                    .last = at + SLUICE_PAGE_BYTES - 1};

    assert_int_equal(sluice_domain_invalidate_nested(nested, &item, 1), SLUICE_OK);
}

struct riscv_model_stats story_stats(struct story *story)
{
    struct riscv_model_stats stats;

    riscv_model_stats(story->model, &stats);
    return stats;
}

bool story_on_riscv(void)
{
    return setenv("SLUICE_TEST_UNIT", "riscv", 1) == 0;
}
