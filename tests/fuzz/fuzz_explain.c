// SPDX-License-Identifier: MIT
// libFuzzer: any bytes as a log. The input is fed once whole and once cut into blocks at line
// ends, as reading a file does; both must see the same messages, and all that the reports read
// must hold. Seeds: seeds/explain, and real logs where they are there.
#include "decode.h"
#include "engine.h"
#include "knowledge.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static struct knowledge knowledge;

static const struct knowledge *get_knowledge(void)
{
    unsigned int line;
    const char *why;

    if (knowledge.count == 0 &&
        !knowledge_read(&knowledge, explanations_text, explanations_bytes, &line, &why))
        abort();
    return &knowledge;
}

// Blocks of about `block_bytes`, ending at line ends.
static void feed(struct engine *engine, const char *text, size_t size_bytes, size_t block_bytes)
{
    while (size_bytes > 0) {
        size_t block = size_bytes;

        if (block > block_bytes) {
            const char *end = memchr(text + block_bytes, '\n', size_bytes - block_bytes);

            block = end == NULL ? size_bytes : (size_t)(end - text) + 1;
        }
        engine_feed(engine, text, block);
        text += block;
        size_bytes -= block;
    }
    engine_finish(engine);
}

static void check_same(const struct engine *a, const struct engine *b)
{
    if (a->messages != b->messages || a->problems.count != b->problems.count)
        abort();
    for (unsigned int i = 0; i < a->problems.count; i++)
        if (a->problems.entries[i].key != b->problems.entries[i].key ||
            a->problems.entries[i].count != b->problems.entries[i].count)
            abort();
}

static void print(const struct engine *engine)
{
    struct report report = {.engine = engine, .knowledge = get_knowledge(), .source = "fuzz"};
    FILE *stream = fopen("/dev/null", "we");
    struct pci_names *names = pci_names_create(false);
    struct cli_out out;

    if (stream == NULL || names == NULL)
        abort();
    report.names = names;
    cli_out_init(&out, stream, CLI_COLOUR_ALWAYS);
    if (!report_text(&report, &out) || !report_json(&report, stream))
        abort();
    pci_names_destroy(names);
    (void)fclose(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct engine *whole = engine_create();
    struct engine *blocks = engine_create();
    char *text = malloc(size_bytes + 1); // exact, so that reading past the end is seen

    if (whole == NULL || blocks == NULL || text == NULL)
        abort();
    memcpy(text, data, size_bytes);
    text = realloc(text, size_bytes == 0 ? 1 : size_bytes);
    if (text == NULL)
        abort();
    feed(whole, text, size_bytes, SIZE_MAX);
    feed(blocks, text, size_bytes, 1);
    check_same(whole, blocks);
    print(whole);
    free(text);
    engine_destroy(whole);
    engine_destroy(blocks);
    return 0;
}
