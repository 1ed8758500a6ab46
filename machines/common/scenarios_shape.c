// SPDX-License-Identifier: MIT
/*
 * Kinds of addresses and pages: scattered memory made contiguous, large pages, high addresses.
 */
#include "arch.h"
#include "pages.h"
#include "stage.h"
#include "string.h"

#define READ_WRITE    (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define SCATTERED     8u
#define LARGE_ORDER   9u
#define LARGE_BYTES   UINT64_C(0x200000)
#define LARGE_IOVA    UINT64_C(0x2000000)
#define ROW_AT        UINT64_C(0x110000)
#define ROW_BYTES     UINT64_C(0x20000)
#define LONG_COPY     2048u
#define ABOVE_39_BITS UINT64_C(0x5a8012340000)

static void run_scattered(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page pages[SCATTERED];
    for (unsigned i = 0; i < SCATTERED; i++) {
        pages[i] = lab_page(lab, 0);
        (void)lab_page(lab, 0); /* so that no two are neighbours */
    }
    for (unsigned i = 0; i < SCATTERED; i++) {
        /* Backwards, so that neither addresses nor order agree. */
        uint64_t iova = STAGE_IOVA + (uint64_t)i * LAB_PAGE;
        if (!lab_map(stage.domain, iova, pages[SCATTERED - 1 - i].phys, LAB_PAGE, READ_WRITE))
            return;
    }
    const uint8_t *low = pages[4].virt, *high = pages[3].virt;
    fill_pattern(stage.load.virt, LONG_COPY, 50);
    uint64_t middle = STAGE_IOVA + UINT64_C(4) * LAB_PAGE - LONG_COPY / 2;
    bool moved = edu_copy(stage.edu, EDU_FROM_MEMORY, STAGE_LOAD, 0, LONG_COPY) &&
                 edu_copy(stage.edu, EDU_TO_MEMORY, middle, 0, LONG_COPY);
    uint8_t *joined = lab_page(lab, 0).virt;
    memcpy(joined, low + LAB_PAGE - LONG_COPY / 2, LONG_COPY / 2);
    memcpy(joined + LONG_COPY / 2, high, LONG_COPY / 2);
    check(moved && has_pattern(joined, LONG_COPY, 50),
          "one write of %u bytes to 0x%lx lands in two pages, 0x%lx and 0x%lx", LONG_COPY, middle,
          pages[4].phys, pages[3].phys);
    lab_check_no_fault(lab);
    struct page watched[] = {pages[0], {0}};
    stage_check_write_stopped(&stage, STAGE_IOVA + (uint64_t)SCATTERED * LAB_PAGE, watched,
                              NOT_MAPPED);
    (void)lab_unmap(stage.domain, STAGE_IOVA, (uint64_t)SCATTERED * LAB_PAGE);
}

/* Memory that the device could not even name by itself. */
static void run_far(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_high_page(lab, 0);
    if (page.phys >> 32 == 0) {
        skip("the machine has no memory above 4 GiB");
        return;
    }
    if (!lab_map(stage.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, STAGE_IOVA, page, ", which it has no address bits for");
    fill_pattern(page.virt, STAGE_BYTES, 55);
    check(stage_read(&stage, STAGE_IOVA) && stage_show(&stage) &&
              has_pattern(stage.dump.virt, STAGE_BYTES, 55),
          "and reads it back");
    lab_check_no_fault(lab);
}

static bool has_large_page(struct stage *stage, uint64_t iova)
{
    struct sluice_mapping mapping;
    return sluice_domain_lookup(stage->domain, iova, &mapping) == SLUICE_OK &&
           mapping.page_bytes == LARGE_BYTES;
}

static void run_large(struct lab *lab)
{
    struct stage stage;
    struct sluice_domain_info info;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    sluice_domain_info(stage.domain, &info);
    if ((info.page_sizes & LARGE_BYTES) == 0) {
        skip("the unit has no pages of 2 MiB");
        return;
    }
    struct page block = lab_page(lab, LARGE_ORDER);
    if (!lab_map(stage.domain, LARGE_IOVA, block.phys, LARGE_BYTES, READ_WRITE))
        return;
    check(has_large_page(&stage, LARGE_IOVA), "one entry of 2 MiB does it");
    uint64_t at = 0x12a000;
    struct page inside = {block.virt + at, block.phys + at, 0};
    stage_check_writes(&stage, LARGE_IOVA + at, inside, "");
    say("one page is cut out of its middle");
    uint64_t unmapped;
    enum sluice_status status =
        sluice_domain_unmap(stage.domain, LARGE_IOVA + at, LAB_PAGE, &unmapped);
    struct page watched[] = {inside, {0}};
    if (status == SLUICE_ERR_UNSUPPORTED) {
        say("the library refuses, since this hardware cannot split a page without a gap");
        fill_pattern(inside.virt, STAGE_BYTES, 60);
        stage_check_writes(&stage, LARGE_IOVA + at, inside, ": all of it is still mapped");
    } else if (check(status == SLUICE_OK && unmapped == LAB_PAGE,
                     "exactly one page is unmapped: %s", sluice_status_text(status))) {
        stage_check_write_stopped(&stage, LARGE_IOVA + at, watched, NOT_MAPPED);
        struct page before = {inside.virt - LAB_PAGE, inside.phys - LAB_PAGE, 0};
        struct page after = {inside.virt + LAB_PAGE, inside.phys + LAB_PAGE, 0};
        stage_check_writes(&stage, LARGE_IOVA + at - LAB_PAGE, before, "");
        stage_check_writes(&stage, LARGE_IOVA + at + LAB_PAGE, after, "");
    }
    check(sluice_domain_unmap(stage.domain, LARGE_IOVA, LARGE_BYTES, NULL) == SLUICE_OK,
          "the rest is unmapped");
    struct page start[] = {{block.virt, block.phys, 0}, {0}};
    stage_check_write_stopped(&stage, LARGE_IOVA, start, NOT_MAPPED);
}

/* Pages one behind the other, which units may keep as one: in a table of small pages at least 16 of
 * 4 KiB or 32 of 64 KiB, aligned like the memory. */
static void run_row(struct lab *lab)
{
    struct stage stage;
    struct sluice_domain_info info;
    uint64_t at = 0, bytes = LARGE_BYTES;
    if (!stage_set(lab, &stage, lab->plain, SLUICE_DOMAIN_DMA))
        return;
    sluice_domain_info(stage.domain, &info);
    if ((info.page_sizes & LARGE_BYTES) != 0) {
        at = ROW_AT;
        bytes = ROW_BYTES;
    }
    struct page block = lab_page(lab, LARGE_ORDER);
    if (!lab_map(stage.domain, LARGE_IOVA + at, block.phys + at, bytes, READ_WRITE))
        return;
    uint64_t hole = at + UINT64_C(5) * LAB_PAGE, next = hole + LAB_PAGE;
    struct page watched[] = {{block.virt + hole, block.phys + hole, 0}, {0}};
    struct page behind = {block.virt + next, block.phys + next, 0};
    stage_check_writes(&stage, LARGE_IOVA + hole, watched[0], ", a page of many");
    if (!lab_unmap(stage.domain, LARGE_IOVA + hole, LAB_PAGE))
        return;
    stage_check_write_stopped(&stage, LARGE_IOVA + hole, watched, NOT_MAPPED);
    stage_check_writes(&stage, LARGE_IOVA + next, behind, ", the page behind it");
    (void)lab_unmap(stage.domain, LARGE_IOVA + next, at + bytes - next);
}

/* An address that needs more than 39 bits: reached where the unit is wide enough, refused else. */
static void run_high(struct lab *lab)
{
    struct stage stage;
    if (!stage_set(lab, &stage, lab->wide, SLUICE_DOMAIN_DMA))
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    uint64_t iova = ABOVE_39_BITS;
    if (lab->iova_bits > 47) {
        if (!lab_map(stage.domain, iova, page.phys, LAB_PAGE, READ_WRITE))
            return;
        stage_check_writes(&stage, iova, page, "");
        lab_check_no_fault(lab);
        if (!lab_unmap(stage.domain, iova, LAB_PAGE))
            return;
        stage_check_write_stopped(&stage, iova, watched, NOT_MAPPED);
        return;
    }
    check(sluice_domain_map(stage.domain, iova, page.phys, LAB_PAGE, READ_WRITE) ==
              SLUICE_ERR_RANGE,
          "0x%lx is more than the %u bits of this unit, and mapping it is refused", iova,
          lab->iova_bits);
    uint64_t cut = iova & ((1ull << lab->iova_bits) - 1);
    say("what is left of it in %u bits is mapped, to see that it is not taken for that",
        lab->iova_bits);
    if (!lab_map(stage.domain, cut, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, cut, page, "");
    stage_check_write_stopped(&stage, iova, watched, OUT_OF_RANGE | NOT_MAPPED);
}

/* The last page of the aperture, where off-by-one errors live. */
static void run_edge(struct lab *lab)
{
    struct stage stage;
    struct sluice_domain_info info;
    if (!stage_set(lab, &stage, lab->wide, SLUICE_DOMAIN_DMA))
        return;
    sluice_domain_info(stage.domain, &info);
    uint64_t last_page = info.last & ~(uint64_t)(LAB_PAGE - 1);
    struct page page = lab_page(lab, 0);
    say("the domain's addresses end at 0x%lx", info.last);
    if (!lab_map(stage.domain, last_page, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&stage, last_page, page, "");
    lab_check_no_fault(lab);
    check(sluice_domain_map(stage.domain, last_page, page.phys, 2ull * LAB_PAGE, READ_WRITE) ==
              SLUICE_ERR_RANGE,
          "one page more is refused");
    (void)lab_unmap(stage.domain, last_page, LAB_PAGE);
}

const struct scenario scenarios_shape[] = {
    {"scattered", "Scattered pages look contiguous to a device", run_scattered},
    {"far", "A device with few address bits reaches memory above 4 GiB", run_far},
    {"large", "A 2 MiB page, and a hole cut into it", run_large},
    {"row", "Pages that a unit may keep as one, and a hole cut into them", run_row},
    {"high", "Addresses above 39 bits", run_high},
    {"edge", "The last page of the address space", run_edge},
    {NULL, NULL, NULL},
};
