// SPDX-License-Identifier: MIT
// Hooks of the lines that say what else went on (see formats.h).
#include "engine.h"
#include "formats.h"

#include <string.h>

// Which messages a rate-limited function of the kernel prints.
static const struct {
    const char *function;
    const char *kind;
} limited[] = {
    {"dmar_fault", "intel-dma-fault"},
    {"amd_iommu_report_page_fault", "amd-io-page-fault"},
    {"amd_iommu_report_rmp_fault", "amd-rmp-fault"},
    {"amd_iommu_report_rmp_hw_error", "amd-rmp-fault"},
    {"amd_iommu_int_thread", "amd-io-page-fault"},
    {"iommu_print_event", "amd-io-page-fault"},
    {"arm_smmu_context_fault", "smmuv2-context-fault"},
    {"arm_smmu_global_fault", "smmuv2-global-fault"},
    {"arm_smmu_evtq_thread", "smmuv3-event"},
    {"arm_smmu_handle_event", "smmuv3-event"},
    {"arm_smmu_dump_raw_event", "smmuv3-event"},
    {"swiotlb_tbl_map_single", "swiotlb-full"},
    {"swiotlb_map", "swiotlb-full"},
    {"tegra_mc_irq", "tegra-fault"},
    {"tegra30_mc_handle_irq", "tegra-fault"},
    {"mtk_iommu_isr", "soc-fault"},
    {"qcom_iommu_fault", "smmuv2-context-fault"},
    {"alloc_iova", "intel-iova-exhausted"},
};

static struct problem *latest_of(struct engine *engine, const char *kind)
{
    struct problems *problems = &engine->problems;

    if (engine->last_problem != NULL && strcmp(engine->last_problem->kind, kind) == 0)
        return engine->last_problem;
    for (unsigned int i = problems->count; i > 0; i--)
        if (strcmp(problems->entries[i - 1].kind, kind) == 0)
            return &problems->entries[i - 1];
    return NULL;
}

// "function: N callbacks suppressed": the number and the name stand before the anchor.
void hook_suppressed(struct engine *engine, struct message *message)
{
    struct span before = message->before;
    size_t number = before.length_bytes;
    uint64_t count;

    while (number > 0 && before.text[number - 1] >= '0' && before.text[number - 1] <= '9')
        number--;
    if (number < 3 || read_decimal(before.text + number, before.length_bytes - number, &count) == 0)
        return;
    for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]); i++) {
        size_t length = strlen(limited[i].function);
        struct problem *problem;

        if (number < length + 2 ||
            memcmp(before.text + number - 2 - length, limited[i].function, length) != 0 ||
            (number > length + 2 && before.text[number - 3 - length] != ' '))
            continue;
        engine->suppressed += count;
        problem = latest_of(engine, limited[i].kind);
        if (problem != NULL)
            problem->suppressed += count;
        return;
    }
}

// rsyslog: "message repeated N times: [text]": the text's message counts that often.
void hook_repeated(struct engine *engine, struct message *message)
{
    uint64_t count = message->fields.number[FIELD_COUNT_DECIMAL];

    if (count > 0 && count <= 1000000)
        engine->line_repeat = count;
}

// syslogd: "last message repeated N times". Which one that was is known only where it was one of
// ours; the entry fed last is right in all but interleaved logs.
void hook_last_repeated(struct engine *engine, struct message *message)
{
    uint64_t count = message->fields.number[FIELD_COUNT_DECIMAL];

    if (engine->last_problem != NULL && count <= 1000000)
        engine->last_problem->suppressed += count;
}

void hook_e820(struct engine *engine, struct message *message)
{
    struct span type = field_word(&message->fields, FIELD_TEXT);
    bool usable = (type.length_bytes >= 6 && memcmp(type.text, "usable", 6) == 0) ||
                  (type.length_bytes >= 10 && memcmp(type.text, "System RAM", 10) == 0);

    context_add_region(&engine->context, usable ? REGION_RAM : REGION_FIRMWARE,
                       message->fields.number[FIELD_START], message->fields.number[FIELD_LAST],
                       type);
}

// Base address registers only: 10h to 24h of a device's header [PCI 7.5.1.2.1]. The message for a
// bridge's window looks alike.
void hook_bar(struct engine *engine, struct message *message)
{
    if (field_has(&message->fields, FIELD_INDEX) &&
        (message->fields.number[FIELD_INDEX] < 0x10 || message->fields.number[FIELD_INDEX] > 0x24))
        return;
    if (message->fields.number[FIELD_START] == 0 || // not assigned yet
        memmem(message->line.text, message->line.length_bytes, "bridge window", 13) != NULL)
        return;
    for (int number = '7'; number <= '9'; number++) {
        char name[] = {'B', 'A', 'R', ' ', (char)number};

        if (memmem(message->before.text, message->before.length_bytes, name, 5) != NULL)
            return;
    }
    context_add_region(&engine->context, REGION_BAR, message->fields.number[FIELD_START],
                       message->fields.number[FIELD_LAST], message->device);
}

// "pci 0000:04:00.0: [8086:15ec] type 00 class 0x0c0330": the identity stands before the anchor.
void hook_pci_id(struct engine *engine, struct message *message)
{
    struct span before = message->before;
    struct span text = field_word(&message->fields, FIELD_TEXT);
    const char *class_at = memmem(text.text, text.length_bytes, "class 0x", 8);
    struct pci_identity *device;
    uint64_t vendor_id;
    uint64_t device_id;
    uint64_t bdf;

    if (before.length_bytes < 9 ||
        read_hex(before.text + before.length_bytes - 9, 4, &vendor_id) != 4 ||
        read_hex(before.text + before.length_bytes - 4, 4, &device_id) != 4 ||
        message->device.length_bytes == 0 ||
        read_bdf(message->device.text, message->device.length_bytes, &bdf) !=
            message->device.length_bytes)
        return;
    device = context_device(&engine->context, (uint32_t)bdf);
    if (device == NULL)
        return;
    device->vendor_id = (uint16_t)vendor_id;
    device->device_id = (uint16_t)device_id;
    if (class_at != NULL) {
        uint64_t class_code = 0;
        size_t at = (size_t)(class_at - text.text) + 8;

        if (read_hex(text.text + at, text.length_bytes - at, &class_code) != 0)
            device->class_code = class_code & 0xffffff;
    }
}

void hook_kernel(struct engine *engine, struct message *message)
{
    struct span text = field_word(&message->fields, FIELD_TEXT);
    size_t length = 0;

    while (length < text.length_bytes && text.text[length] != ' ')
        length++;
    span_copy(engine->context.kernel, sizeof(engine->context.kernel),
              (struct span){text.text, length});
    // Another boot: what the one before said about time no longer counts.
    engine->context.init_done = false;
    engine->context.kdump.valid = false;
    engine->context.resume.valid = false;
    engine->context.unbind.valid = false;
    memset(engine->context.resets, 0, sizeof(engine->context.resets));
}

// A crash kernel is told where the core of the crashed one lies.
void hook_command_line(struct engine *engine, struct message *message)
{
    struct span text = field_word(&message->fields, FIELD_TEXT);

    if (memmem(text.text, text.length_bytes, "elfcorehdr=", 11) != NULL) {
        context_note(&engine->context.kdump, message);
        (void)strcpy(engine->context.kdump.line, "elfcorehdr= on the command line");
    }
}

void hook_reset(struct engine *engine, struct message *message)
{
    struct context *context = &engine->context;

    context_note(&context->resets[context->reset_next], message);
    context->reset_next = (context->reset_next + 1) % CONTEXT_MOST_RESETS;
}

void hook_resume(struct engine *engine, struct message *message)
{
    context_note(&engine->context.resume, message);
}

void hook_kdump(struct engine *engine, struct message *message)
{
    context_note(&engine->context.kdump, message);
}

void hook_unbind(struct engine *engine, struct message *message)
{
    context_note(&engine->context.unbind, message);
}

void hook_init_done(struct engine *engine, struct message *message)
{
    (void)message;
    engine->context.init_done = true;
}

void hook_dma_buffer(struct engine *engine, struct message *message)
{
    uint64_t start = message->fields.number[FIELD_ADDRESS];
    uint64_t size = message->fields.number[FIELD_COUNT_DECIMAL];

    if (size > 0 && size - 1 <= UINT64_MAX - start)
        context_add_region(&engine->context, REGION_BUFFER, start, start + size - 1,
                           message->device);
}
