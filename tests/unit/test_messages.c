// SPDX-License-Identifier: MIT
/*
 * Levels that rest on an interrupt controller which knows messages by their sender: what firmware
 * has to say for that, and what keeps it from counting. On units that do not remap here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/instance.h"
#include "protection_scene.h"
#include "tables/builder.h"

#define DOORBELL  ((sluice_phys_t)0x8090000)
#define EVERY_RID 0xffffu

/* ---- what tables say ---- */

static void tables_begin(struct scene *scene)
{
    struct scene_config config = scene_defaults();

    config.no_tables = true;
    scene_init(scene, &config);
}

static void add_text(struct scene *scene, const char *text)
{
    struct built_table built;

    table_build(&built, text);
    assert_int_equal(sluice_add_table(scene->sluice, built.data, built.bytes), SLUICE_OK);
}

static void add_iort(struct scene *scene, const char *change)
{
    char *text = table_text("iort");
    char whole[8192];

    (void)snprintf(whole, sizeof(whole), "%s%s", text, change);
    free(text);
    add_text(scene, whole);
}

/** Up to which function of segment 0 messages are known by their sender; -1: not even the first. */
static int known_until(const struct scene *scene)
{
    uint16_t rid = 0;

    assert_false(platform_knows_senders(&scene->sluice->platform, 0, 0, EVERY_RID, &rid));
    return rid - 1;
}

static const struct platform_scope *component_of(const struct scene *scene)
{
    const struct platform_unit *unit =
        container_of(scene->sluice->platform.units.next, struct platform_unit, node);

    list_for_each(node, &unit->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind == PLATFORM_SCOPE_NAMED)
            return scope;
    }
    fail();
    return NULL;
}

static void iort_case(const char *change, int until, bool component)
{
    struct scene scene;

    tables_begin(&scene);
    add_iort(&scene, change);
    if (known_until(&scene) != until)
        fail_msg("'%s': known until %d", change, known_until(&scene));
    assert_int_equal(component_of(&scene)->tells_senders, component);
    assert_false(platform_mixes_senders(&scene.sluice->platform));
    scene_finish(&scene);
}

static void test_iort_leads_to_an_its(void **state)
{
    (void)state;
    /* Requester IDs 0 to FFh, through the SMMU as 100h to 1FFh; the component is 500h there. */
    iort_case("", 0xff, true);
    iort_case("set smmumap.more 0x1ef\n", 0xef, false);
    iort_case("set smmumap.input 0x180\nset smmumap.output 0x180\n", -1, true);
    iort_case("set smmumap.flags 1\n", -1, false);
    iort_case("set smmumap.reference 180\n", -1, false);
    iort_case("set smmumap.output 0xffffff00\n", -1, false); /* IDs beyond 32 bits */
    iort_case("set its.items 0\n", -1, false);               /* a group of none */
}

static void test_madt_says_where(void **state)
{
    const struct platform *platform;
    struct scene scene;

    (void)state;
    tables_begin(&scene);
    platform = &scene.sluice->platform;
    add_text(&scene, "table APIC 4\nu32 0\nu32 1\n"
                     "u8 0\nu8 8\nu8 0\nu8 0\nu32 1\n" /* a processor's */
                     "u8 15\nu8 20\nu8 0\nu8 0\nu32 0\nu64 0x8080000\nu32 0\n");
    assert_true(platform_is_doorbell(platform, DOORBELL, DOORBELL + 0xffff));
    assert_false(platform_is_doorbell(platform, DOORBELL, DOORBELL + 0x10000));
    assert_false(platform_is_doorbell(platform, DOORBELL - 0x1000, DOORBELL));
    /* Some machines have two: the first counts, and nothing is refused. */
    add_text(&scene, "table APIC 4\nu32 0\nu32 1\n"
                     "u8 15\nu8 20\nu8 0\nu8 0\nu32 0\nu64 0x9080000\nu32 0\n");
    assert_false(platform_is_doorbell(platform, 0x9090000, 0x9090fff));
    scene_finish(&scene);
}

static void test_madt_that_is_broken(void **state)
{
    static const char *const tails[] = {
        "u8 15\nu8 0\n",                                                    /* of no length */
        "u8 15\nu8 20\nu8 0\nu8 0\nu32 0\nu64 0x9080000\n",                 /* cut off */
        "u8 15\n",                                                          /* not even a length */
        "u8 15\nu8 20\nu8 0\nu8 0\nu32 0\nu64 0xffffffffffff0000\nu32 0\n", /* wraps */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct scene scene;
        char text[512];

        tables_begin(&scene);
        (void)snprintf(text, sizeof(text),
                       "table APIC 4\nu32 0\nu32 1\n"
                       "u8 15\nu8 20\nu8 0\nu8 0\nu32 0\nu64 0x8080000\nu32 0\n%s",
                       tails[i]);
        add_text(&scene, text);
        assert_true(platform_is_doorbell(&scene.sluice->platform, DOORBELL, DOORBELL + 0xfff));
        assert_false(platform_is_doorbell(&scene.sluice->platform, 0x9090000, 0x9090fff));
        scene_finish(&scene);
    }
}

/* ---- what levels make of it ---- */

static struct sluice_host_ops ops;
static sluice_phys_t doorbell;

static bool extent(void *ctx, unsigned index, sluice_phys_t *out_first, sluice_phys_t *out_last)
{
    (void)ctx;
    *out_first = doorbell;
    *out_last = doorbell + 0xfff;
    return index == 0 && doorbell != 0;
}

static void (*inner_configure)(struct sluice_config *config, void *arg);

static void configure(struct sluice_config *config, void *arg)
{
    inner_configure(config, arg);
    ops = *config->ops;
    ops.doorbell_extent = extent;
    config->ops = &ops;
}

static void build(enum sluice_protection level, sluice_phys_t host_doorbell)
{
    begin(level, false);
    doorbell = host_doorbell;
    inner_configure = topo.config.configure;
    topo.config.configure = configure;
    topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_build(&topo);
}

static enum sluice_status say(uint16_t first, uint16_t last, uint32_t id)
{
    const struct sluice_message_senders senders = {.first_rid = first,
                                                   .last_rid = last,
                                                   .controller = 7,
                                                   .first_message_id = id,
                                                   .kind = SLUICE_MESSAGES_GIC_ITS};

    return sluice_describe_message_senders(topo.scene.sluice, &senders);
}

static void say_all(void)
{
    assert_int_equal(say(0, 0x7f, 0), SLUICE_OK);
    assert_int_equal(say(0x80, EVERY_RID, 0x80), SLUICE_OK);
}

static void on_line(void *arg, const char *line)
{
    bool *found = arg;

    *found = *found || strstr(line, "isolated by GIC ITS") != NULL;
}

static bool reported(void)
{
    bool found = false;

    sluice_report(topo.scene.sluice, on_line, &found);
    return found;
}

static void test_levels_rest_on_senders(void **state)
{
    struct sluice_interrupt_info info;

    (void)state;
    build(SLUICE_PROTECTION_STANDARD, 0);
    say_all();
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_protection(topo.scene.sluice), SLUICE_PROTECTION_STANDARD);
    sluice_interrupt_info(topo.scene.sluice, &info);
    assert_true(info.isolated);
    assert_false(info.remapped);
    assert_true(reported());
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STRICT), SLUICE_OK);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_BASIC), SLUICE_OK);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_OK);
    topology_finish(&topo);
}

static void refused(const char *words)
{
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(told.count[SLUICE_OBSTACLE_NO_REMAPPING] > 0);
    if (!logged(words))
        fail_msg("'%s' is not said", words);
    topology_finish(&topo);
}

static void test_nobody_says_so(void **state)
{
    (void)state;
    build(SLUICE_PROTECTION_STANDARD, 0);
    refused("no interrupt controller is said to know messages by their sender");
}

static void test_one_device_is_not_known(void **state)
{
    (void)state;
    build(SLUICE_PROTECTION_STRICT, 0);
    assert_int_equal(say(0, 0x17, 0), SLUICE_OK);
    assert_int_equal(say(0x19, EVERY_RID, 0x19), SLUICE_OK);
    refused("knows messages of 0000:00:03.0 by their sender");
}

static void test_two_are_one_sender(void **state)
{
    (void)state;
    build(SLUICE_PROTECTION_STANDARD, 0);
    assert_int_equal(say(0, 0x7f, 0), SLUICE_OK);
    assert_int_equal(say(0x80, EVERY_RID, 0x7f), SLUICE_OK);
    refused("two devices are one sender");
}

static void test_doorbells_are_the_controllers(void **state)
{
    (void)state;
    build(SLUICE_PROTECTION_STANDARD, DOORBELL);
    say_all();
    refused("what takes messages at 0x8090000 knows them by their sender");
    build(SLUICE_PROTECTION_STANDARD, DOORBELL);
    say_all();
    assert_int_equal(
        sluice_describe_message_doorbell(topo.scene.sluice, DOORBELL, DOORBELL + 0xffff),
        SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    topology_finish(&topo);
}

/* Who asks for remapping gets that or nothing. */
static void test_remapping_was_asked_for(void **state)
{
    (void)state;
    build(SLUICE_PROTECTION_STANDARD, 0);
    say_all();
    topo.scene.sluice->host_asked_remapping = true;
    refused("remap");
}

static void test_absurd_senders(void **state)
{
    struct sluice_message_senders senders = {.last_rid = 1, .kind = SLUICE_MESSAGES_OTHER};

    (void)state;
    build(SLUICE_PROTECTION_BASIC, 0);
    assert_int_equal(sluice_describe_message_senders(NULL, &senders), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_describe_message_senders(topo.scene.sluice, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(say(1, 0, 0), SLUICE_ERR_INVALID);
    assert_int_equal(say(0, 1, UINT32_MAX), SLUICE_ERR_INVALID);
    senders.kind = SLUICE_MESSAGES_UNKNOWN;
    assert_int_equal(sluice_describe_message_senders(topo.scene.sluice, &senders),
                     SLUICE_ERR_INVALID);
    assert_int_equal(sluice_describe_message_doorbell(topo.scene.sluice, 1, 0), SLUICE_ERR_INVALID);
    for (unsigned i = 0; i < 1500; i++) /* beyond 1024 they count for nothing */
        assert_int_equal(say((uint16_t)i, (uint16_t)i, i), SLUICE_OK);
    assert_true(logged("more than 1024 ranges"));
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(say(0, 1, 0), SLUICE_ERR_STATE);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_ERR_UNSUPPORTED);
    topology_finish(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iort_leads_to_an_its),
        cmocka_unit_test(test_madt_says_where),
        cmocka_unit_test(test_madt_that_is_broken),
        cmocka_unit_test(test_levels_rest_on_senders),
        cmocka_unit_test(test_nobody_says_so),
        cmocka_unit_test(test_one_device_is_not_known),
        cmocka_unit_test(test_two_are_one_sender),
        cmocka_unit_test(test_doorbells_are_the_controllers),
        cmocka_unit_test(test_remapping_was_asked_for),
        cmocka_unit_test(test_absurd_senders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
