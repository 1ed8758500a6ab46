// SPDX-License-Identifier: MIT
#include "takeover.h"

#include "host.h"
#include "options.h"
#include "pages.h"
#include "remap.h"
#include "stage.h"

#define READ_WRITE (SLUICE_PROT_READ | SLUICE_PROT_WRITE)
#define LOOP_WAIT  3u

static void emit(void *arg, const char *line)
{
    (void)arg;
    say("  %s", line);
}

static void tell_units(struct lab *lab)
{
    struct sluice_unit_info unit;
    lab->iova_bits = 64;
    for (unsigned i = 0; sluice_unit_info(lab->sluice, i, &unit) == SLUICE_OK; i++) {
        say("%s: %s, registers at 0x%lx, %u-bit device addresses", unit.name, unit.driver,
            unit.base, unit.iova_bits);
        lab->expect = expectation_of(unit.driver);
        if (unit.iova_bits < lab->iova_bits)
            lab->iova_bits = unit.iova_bits;
        check(unit.started && !unit.degraded, "%s translates, %s", unit.name,
              unit.queued ? "told of changes through a queue" : "told of changes by registers");
        check(unit.queued != option_given("avoid-queues"), "that is the way that was asked for");
    }
}

/* A device that nobody has spoken for yet. */
static void check_nobody_moves(struct lab *lab)
{
    struct stage stage = {.lab = lab, .edu = lab->plain};
    if (lab->plain == NULL)
        return;
    struct page page = lab_page(lab, 0), watched[] = {page, {0}};
    device_text(lab->plain->pci, stage.name);
    say("no device has been given anything yet");
    stage_check_write_stopped(&stage, page.phys, watched, BLOCKED | NOT_MAPPED);
}

bool takeover_start(struct lab *lab)
{
    enum sluice_status status;
    report_begin("start", "The library takes the IOMMU over, and every device is blocked");
    bool started = lab_start(lab, &status);
    if (started) {
        tell_units(lab);
        check_nobody_moves(lab);
        check(lab_guard_devices(lab), "every device of the story is covered by a unit");
        sluice_report(lab->sluice, emit, NULL);
    } else {
        check(false, "the library starts: %s", sluice_status_text(status));
    }
    (void)lab_release(lab);
    report_end();
    return started;
}

void takeover_nothing(struct lab *lab)
{
    enum sluice_status status;
    report_begin("nothing", "The library says so when there is no IOMMU");
    bool started = lab_start(lab, &status);
    check(!started && status == SLUICE_ERR_NOT_FOUND, "start is refused: %s",
          sluice_status_text(status));
    if (started)
        (void)lab_stop(lab);
    report_end();
}

void takeover_stop(struct lab *lab)
{
    report_begin("stop", "The library lets go and gives everything back");
    if (lab_stop(lab)) {
        check(machine_host_pages_held() == 0 && machine_host_objects_held() == 0,
              "it holds no memory any more (%lu pages, %lu objects)", machine_host_pages_held(),
              machine_host_objects_held());
        struct page from = lab_page(lab, 0), to = lab_page(lab, 0);
        fill_pattern(from.virt, STAGE_BYTES, 120);
        if (lab->plain != NULL)
            check(edu_copy(lab->plain, EDU_FROM_MEMORY, from.phys, 0, STAGE_BYTES) &&
                      edu_copy(lab->plain, EDU_TO_MEMORY, to.phys, 0, STAGE_BYTES) &&
                      has_pattern(to.virt, STAGE_BYTES, 120),
                  "the IOMMU is off: a device reaches 0x%lx again, as before the start", to.phys);
    }
    (void)lab_release(lab);
    report_end();
}

/* Its next round begins with the interrupt of the last, which the second instance refuses until it
 * is made known to it. */
static bool keeps_writing(const struct lab *lab)
{
    return lab->firmware != NULL && !remap_wanted() && lab->expect->hands_over_seamlessly;
}

/* The part with the first instance; what it mapped must not be reachable afterwards. */
static bool play_firmware(struct lab *lab, struct stage *stage, struct page *page)
{
    enum sluice_status status;
    if (!check(lab_start(lab, &status) && lab_guard_devices(lab), "a first instance starts"))
        return false;
    if (!stage_set(lab, stage, lab->plain, SLUICE_DOMAIN_DMA))
        return false;
    *page = lab_page(lab, 0);
    if (!lab_map(stage->domain, STAGE_IOVA, page->phys, LAB_PAGE, READ_WRITE))
        return false;
    stage_check_writes(stage, STAGE_IOVA, *page, "");
    if (!lab->expect->hands_over_seamlessly)
        say("(that reserved memory stays within reach meanwhile is not expected: %s)",
            lab->expect->takeover_remark);
    if (lab->firmware != NULL)
        lab->firmware->kicked = !lab->expect->messages_always_pass;
    if (keeps_writing(lab))
        check(edu_loop_start(lab->firmware, lab->reserved.phys, STAGE_BYTES) &&
                  edu_loop_wait(lab->firmware, 1),
              "another device keeps writing to the page firmware reserved for it");
    return true;
}

static void take_over(struct lab *lab, struct stage *stage, struct page page)
{
    enum sluice_status status;
    lab->fault_count = 0;
    bool started = lab_start(lab, &status);
    if (!check(started, "a second instance starts on top of it: %s", sluice_status_text(status)))
        return;
    if (keeps_writing(lab)) {
        fill_pattern(lab->reserved.virt, STAGE_BYTES, 130);
        check(edu_loop_wait(lab->firmware, LOOP_WAIT) &&
                  !has_pattern(lab->reserved.virt, STAGE_BYTES, 130),
              "the device with reserved memory was never cut off");
        lab_check_no_fault(lab);
        check(edu_loop_stop(lab->firmware), "it is told to stop");
    }
    struct page watched[] = {page, {0}};
    say("what the first instance had mapped for %s is void", stage->name);
    stage_check_write_stopped(stage, STAGE_IOVA, watched, BLOCKED | NOT_MAPPED);
    check(lab_guard_devices(lab), "the devices are made known to the second instance");
    struct stage again;
    if (!stage_set(lab, &again, lab->plain, SLUICE_DOMAIN_DMA) ||
        !lab_map(again.domain, STAGE_IOVA, page.phys, LAB_PAGE, READ_WRITE))
        return;
    stage_check_writes(&again, STAGE_IOVA, page, "");
    lab_check_no_fault(lab);
}

void takeover_handover(struct lab *lab)
{
    struct stage stage;
    struct page page;
    report_begin("handover", "Taking over from firmware that left translation on");
    if (lab->plain == NULL) {
        skip("the machine lacks the edu device this needs");
        report_end();
        return;
    }
    if (play_firmware(lab, &stage, &page)) {
        say("it goes away without turning anything off, as firmware does");
        lab_abandon(lab);
        take_over(lab, &stage, page);
    }
    if (lab->sluice != NULL) {
        check(lab_release(lab), "everything is given back");
        (void)lab_stop(lab);
    }
    report_end();
}
