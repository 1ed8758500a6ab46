// SPDX-License-Identifier: MIT
// How addresses are read, each pattern where it holds and where it does not; the circumstances
// that make a fault expected; and the explanations, which are data.
#include "explain_helper.h"

#define AMD(address)                                                                               \
    "[50.0] a 0000:21:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x1 address=" address       \
    " flags=0x0000]\n"
#define INTEL(address)                                                                             \
    "[50.0] DMAR: [DMA Read NO_PASID] Request device [21:00.0] fault addr " address                \
    " [fault reason 0x06] PTE\n"

static void expect(const char *log, const char *name, bool expected)
{
    struct engine *engine = explain_log(log);

    print_message("# %s %s:\n%s", expected ? "is" : "is not", name, log);
    assert_int_equal(engine->problems.count, 1);
    assert_int_equal(explain_has_reading(engine, &engine->problems.entries[0], name), expected);
    engine_destroy(engine);
}

static void test_constants(void **state)
{
    (void)state;
    expect(INTEL("0x0"), "null", true);
    expect(AMD("0xff8"), "null", true);
    expect(AMD("0x1000"), "null", false);
    expect(AMD("0x0") AMD("0x4000"), "null", false);
    expect(AMD("0xffffffffffffffff"), "all-ones", true);
    expect(AMD("0xffffffff"), "all-ones", true);
    expect(INTEL("0xfffffffff000"), "all-ones", true);
    expect(INTEL("0xfffff000"), "all-ones", false); // the first address that Linux hands out
    expect(INTEL("0xfffff000"), "iova-top", true);
    expect(INTEL("0x12345000"), "iova-top", false);
    expect(AMD("0xdeadbeeffffd4000"), "poison", true);
    expect(AMD("0x6b6b6b6b6b6b6b6b"), "poison", true);
    expect(AMD("0x6b6b6b6c00000000"), "poison", false);
    expect(AMD("0xffff888012345678"), "kernel-pointer", true);
    expect(AMD("0x7fff888012345678"), "kernel-pointer", false);
    expect(AMD("0xfdf8001000"), "interrupt-range", true);
    expect(AMD("0xfdf9001000"), "interrupt-range", false);
    expect(INTEL("0xfee01000"), "interrupt-range", true);
    expect(INTEL("0xfef00000"), "interrupt-range", false);
}

static void test_width(void **state)
{
    (void)state;
    expect("DMAR: Host address width 39\n" INTEL("0x8000000000"), "beyond-width", true);
    expect("DMAR: Host address width 39\n" INTEL("0x7ffffff000"), "beyond-width", false);
    expect(INTEL("0x8000000000"), "beyond-width", false); // no width said
    expect("arm-smmu-v3 1.smmu: ias 40-bit, oas 40-bit (features 0x1)\n" AMD("0x10000000000"),
           "beyond-width", true);
}

static void test_runs(void **state)
{
    (void)state;
    expect(AMD("0x5000") AMD("0x5040") AMD("0x5080") AMD("0x50c0"), "sequential", true);
    expect(INTEL("0x5000") INTEL("0x6000") INTEL("0x7000") INTEL("0x8000"), "sequential", true);
    expect(AMD("0x5000") AMD("0x5040") AMD("0x5080"), "sequential", false); // too few to tell
    expect(AMD("0x5000") AMD("0x5040") AMD("0x5080") AMD("0x50c0") AMD("0x5010") AMD("0x5050")
               AMD("0x5020") AMD("0x5060"),
           "sequential", false); // back and forth
    expect(AMD("0x8000") AMD("0x7000") AMD("0x6000") AMD("0x5000"), "sequential", false);
    expect(AMD("0x5000") AMD("0x905000") AMD("0xf05000") AMD("0xff5000"), "sequential", false);
    expect(AMD("0x5000"), "page-start", true);
    expect(AMD("0x5040"), "page-start", false);
    expect(INTEL("0x5000"), "page-start", false); // VT-d reports pages only
    expect(INTEL("0x5000") INTEL("0x5000"), "same-page", true);
    expect(AMD("0x5008") AMD("0x5ff8"), "same-page", true);
    expect(AMD("0x5008") AMD("0x6008"), "same-page", false);
    expect(AMD("0x15008") AMD("0x91000") AMD("0x22000") AMD("0x83000") AMD("0x41000"), "scattered",
           true);
    expect(AMD("0x15008") AMD("0x91000"), "scattered", false);
}

// `count` reads, each `step_bytes` after the one before.
static char *walk(unsigned int count, unsigned long step_bytes)
{
    char *log = calloc(count, 160);
    size_t used = 0;

    for (unsigned int i = 0; i < count; i++)
        used += (size_t)sprintf(log + used, INTEL("0x%lx"), 0x10000000 + i * step_bytes);
    return log;
}

static void test_sweep(void **state)
{
    static const struct {
        const char *name;
        unsigned long step_bytes;
        unsigned int count;
        bool expected;
    } cases[] = {
        {"sweep", 1 << 20, 100, true},       {"sweep", 1 << 20, 64, true},
        {"sweep", 1 << 20, 63, false},       {"sweep", 0x1000, 100, false},
        {"sequential", 0x1000, 100, true},   {"sweep", 0x1000, 5000, true},
        {"sequential", 0x1000, 5000, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *log = walk(cases[i].count, cases[i].step_bytes);
        struct engine *engine = explain_log(log);

        print_message("# %u steps of 0x%lx: %s\n", cases[i].count, cases[i].step_bytes,
                      cases[i].name);
        assert_int_equal(explain_has_reading(engine, &engine->problems.entries[0], cases[i].name),
                         cases[i].expected);
        engine_destroy(engine);
        free(log);
    }
}

#define RMRR   "DMAR: RMRR base: 0x0000007b000000 end: 0x0000007b00ffff\n"
#define BUFFER "x 0000:21:00.0: DMA-API: unmapped [device address=0x40000] [size=8192 bytes]\n"

static void test_regions(void **state)
{
    (void)state;
    expect(RMRR INTEL("0x7b00f000"), "reserved-region", true);
    expect(RMRR INTEL("0x7b010000"), "reserved-region", false);
    expect(RMRR INTEL("0x7b010000"), "page-after", true);
    expect(RMRR INTEL("0x7b011000"), "page-after", false);
    expect(BUFFER AMD("0x42040"), "page-after", true);
    expect(BUFFER AMD("0x41040"), "known-buffer", true);
    expect(BUFFER AMD("0x44040"), "page-after", false);
    expect("BIOS-e820: [mem 0x70000000-0x7fffffff] reserved\n" INTEL("0x70001000"),
           "firmware-memory", true);
    expect("BIOS-e820: [mem 0x70000000-0x7fffffff] usable\n" INTEL("0x70001000"), "firmware-memory",
           false);
    expect("BIOS-e820: [mem 0x70000000-0x7fffffff] usable\n" INTEL("0x70001000"), "system-memory",
           true);
    expect("pci 0000:22:00.0: reg 0x10: [mem 0x90000000-0x90ffffff]\n" INTEL("0x90001000"),
           "device-memory", true);
    expect("pci 0000:00:01.0:   bridge window [mem 0x90000000-0x90ffffff]\n" INTEL("0x90001000"),
           "device-memory", false);
}

static struct knowledge built_in(void)
{
    struct knowledge knowledge;
    unsigned int line;
    const char *why;

    if (!knowledge_read(&knowledge, explanations_text, explanations_bytes, &line, &why))
        fail_msg("line %u: %s", line, why);
    return knowledge;
}

static void expect_verdict(const char *log, const char *verdict)
{
    struct knowledge knowledge = built_in();
    struct engine *engine = explain_log(log);
    struct reading readings[READINGS_MOST];
    struct advice advice;
    const struct problem *problem = &engine->problems.entries[0];

    print_message("# %s:\n%s", verdict, log);
    assert_int_equal(engine->problems.count, 1);
    knowledge_advise(&knowledge, problem, readings,
                     pattern_read(&engine->context, problem, readings), &advice);
    assert_string_equal(advice.verdict, verdict);
    if (strcmp(verdict, "noise") == 0)
        assert_true(problem->evidence[0] != '\0' || problem->during.boot > 0);
    engine_destroy(engine);
    knowledge_free(&knowledge);
}

#define RESET(device) "[48.0] nvme " device ": controller is down; will reset: CSTS=0x1\n"
#define EARLY                                                                                      \
    "[ 0.5] DMAR: [DMA Read NO_PASID] Request device [21:00.0] fault addr 0x70001000 "             \
    "[fault reason 0x06] PTE\n"

static void test_noise(void **state)
{
    (void)state;
    expect_verdict(INTEL("0x5000"), "driver-bug");
    expect_verdict(RESET("0000:21:00.0") INTEL("0x5000"), "noise");
    expect_verdict(RESET("0000:22:00.0") INTEL("0x5000"), "driver-bug"); // another device's
    expect_verdict("[9.0] nvme 0000:21:00.0: resetting controller\n" INTEL("0x5000"),
                   "driver-bug"); // long ago
    expect_verdict(
        "[0.1] DMAR: Copied translation tables from previous kernel for dmar0\n" INTEL("0x5000"),
        "noise");
    expect_verdict("BIOS-e820: [mem 0x70000000-0x7fffffff] reserved\n" EARLY, "noise");
    expect_verdict(EARLY, "driver-bug");
    expect_verdict("BIOS-e820: [mem 0x70000000-0x7fffffff] reserved\n"
                   "[0.4] Freeing unused kernel image (initmem) memory: 4K\n" EARLY,
                   "driver-bug");
    char *sweep = walk(100, 1 << 20);

    expect_verdict(sweep, "attack");
    free(sweep);
    expect_verdict("DMAR: [DMA Read NO_PASID] Request device [21:00.0] fault addr 0x5000 "
                   "[fault reason 0x0d] x\n",
                   "attack");
}

// Every kind that a row can make has a title, a verdict and, if it is a problem, advice.
static void test_every_kind_is_explained(void **state)
{
    struct knowledge knowledge = built_in();
    struct engine *engine = explain_log("");

    (void)state;
    for (unsigned int i = 0; i < engine->format_count; i++) {
        const char *kind = engine->formats[i]->kind;

        if (kind == NULL || strcmp(kind, "amd-event") == 0)
            continue;
        if (knowledge_title(&knowledge, kind) == NULL)
            fail_msg("no explanation of %s", kind);
    }
    engine_destroy(engine);
    knowledge_free(&knowledge);
}

// No remedy begins with turning protection off.
static void test_no_remedy_turns_protection_off(void **state)
{
    static const char *const bad[] = {"iommu=off",   "intel_iommu=off",  "amd_iommu=off",
                                      "iommu=pt",    "disable_bypass=0", "intremap=off",
                                      "allow_unsafe"};
    struct knowledge knowledge = built_in();

    (void)state;
    for (unsigned int i = 0; i < knowledge.count; i++)
        for (unsigned int j = 0; j < knowledge.entries[i].actions.count; j++)
            for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
                assert_null(strstr(knowledge.entries[i].actions.list[j], bad[k]));
    knowledge_free(&knowledge);
}

static void test_bad_explanations(void **state)
{
    static const struct {
        const char *text;
        unsigned int line;
    } cases[] = {
        {"title: x\n", 1},
        {"[a]\ntitle x\n", 2},
        {"[a\n", 1},
        {"[]\n", 1},
        {"[a b]\n", 1},
        {"[a wrong=1]\n", 1},
        {"[a]\nverdict: maybe\n", 2},
        {"[a]\n\n  goes on\n", 3},
        {"[a reason=1 type=1 access=read text=x fsr=1]\n", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct knowledge knowledge;
        unsigned int line = 0;
        const char *why = NULL;

        print_message("# %s", cases[i].text);
        assert_false(knowledge_read(&knowledge, cases[i].text, strlen(cases[i].text), &line, &why));
        assert_int_equal(line, cases[i].line);
        assert_non_null(why);
    }
}

static void test_own_explanations(void **state)
{
    static const char text[] = "# mine\n[intel-dma-fault]\ntitle: general\nverdict: setup\n"
                               "cause: b\n[intel-dma-fault reason=0x06 access=read]\n"
                               "title: one\n  line\ncause: a\n[intel-dma-fault reason=0x05]\n"
                               "title: other\n";
    struct engine *engine = explain_log(INTEL("0x5000"));
    struct knowledge knowledge;
    struct advice advice;
    unsigned int line;
    const char *why;

    (void)state;
    assert_true(knowledge_read(&knowledge, text, strlen(text), &line, &why));
    knowledge_advise(&knowledge, &engine->problems.entries[0], NULL, 0, &advice);
    assert_string_equal(advice.title, "one line");
    assert_string_equal(advice.verdict, "setup");
    assert_int_equal(advice.cause_count, 2);
    assert_string_equal(advice.causes[0], "a");
    engine_destroy(engine);
    knowledge_free(&knowledge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_every_kind_is_explained),
        cmocka_unit_test(test_no_remedy_turns_protection_off),
        cmocka_unit_test(test_bad_explanations),
        cmocka_unit_test(test_own_explanations),
    };

    return cmocka_run_group_tests_name("explain_patterns", tests, NULL, NULL);
}
