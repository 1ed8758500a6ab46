// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes as a devicetree. Every walk must end, stay inside, and say where it
 * stumbled; the linter must say something for each of its rules; and an instance must take what the
 * tree says, or leave it. Seeds: trees of tests/devicetree, and the corpus where it is there.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "models/host.h"

#include <sluice/devicetree.h>
#include <sluice/sluice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct sluice_devicetree tree;
static struct sluice_devicetree_cursor at;

static void check(bool right)
{
    if (!right)
        abort();
}

/** Errors name a node of this tree, and say what. */
static void check_error(const struct sluice_devicetree_error *error)
{
    check(error->what != NULL && error->what[0] != '\0');
    check(memchr(error->path, '\0', sizeof(error->path)) != NULL);
}

/* Reads what an item points at, so that a sanitizer sees where it points. */
static size_t touch(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

static void walk_interrupts(void)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_interrupt interrupt;
    struct sluice_devicetree_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_devicetree_interrupt_next(&tree, &at, &place, &interrupt, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        check(++turns <= tree.bytes);
        if (status != SLUICE_OK)
            check_error(&error);
        else
            (void)touch(interrupt.name);
    }
}

static void walk_specifiers(void)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_devicetree_specifier_next(&tree, &at, &place, &specifier, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        check(++turns <= tree.bytes);
        if (status != SLUICE_OK)
            check_error(&error);
        else
            check(specifier.unit < tree.unit_count);
    }
}

static void walk_mappings(void)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_devicetree_mapping_next(&tree, &at, &place, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        check(++turns <= tree.bytes);
        if (status != SLUICE_OK)
            check_error(&error);
        else
            check(entry.unit < tree.unit_count);
    }
}

static void walk_reservations(void)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_devicetree_reservation_next(&tree, &at, &place, &reservation,
                                                        &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= tree.bytes);
        if (status != SLUICE_OK) {
            check_error(&error);
            continue;
        }
        check(reservation.first <= reservation.last);
        (void)touch(reservation.path);
    }
}

/** The path leads to the node, unless names of nodes are what libfdt does not look for. */
static void check_path(const struct sluice_devicetree_node *node)
{
    size_t length = touch(node->path);

    check(length < SLUICE_DEVICETREE_PATH_BYTES && (length == 0 || node->path[0] == '/'));
}

static void walk(void)
{
    struct sluice_devicetree_node node;
    struct sluice_devicetree_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    memset(&at, 0, sizeof(at));
    while ((status = sluice_devicetree_next(&tree, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= tree.bytes);
        check_path(&node);
        if (status != SLUICE_OK)
            check_error(&error);
        (void)touch(node.compatible);
        check(node.roles != 0);
        check(!node.has_memory || node.first <= node.last);
        check(node.register_bytes == 0 || node.register_bytes - 1 <= UINT64_MAX - node.registers);
        walk_interrupts();
        walk_specifiers();
        walk_mappings();
        walk_reservations();
    }
    check(sluice_devicetree_next(&tree, &at, &node, &error) == SLUICE_ERR_NOT_FOUND);
}

static void on_finding(void *arg, const struct sluice_devicetree_finding *finding)
{
    (void)arg;
    check(finding->rule != NULL && finding->advice != NULL);
    check(finding->message[0] != '\0' && touch(finding->path) < SLUICE_DEVICETREE_PATH_BYTES);
}

static void add_to_library(const void *blob, size_t bytes)
{
    const struct model_host_config host_config = {.extents = {{.base = 1 << 20, .bytes = 1 << 20}}};
    struct model_host *host = model_host_create(&host_config);
    struct sluice_devicetree_summary summary;
    struct sluice_devicetree_error error = {0};
    struct sluice_config config = {0};
    struct sluice *sluice;

    model_host_configure(host, &config);
    config.log_level = SLUICE_LOG_ERROR;
    check(sluice_create(&config, &sluice) == SLUICE_OK);
    if (sluice_add_devicetree(sluice, blob, bytes, &tree, NULL, &summary, &error) == SLUICE_OK)
        check(summary.units != 0);
    if (summary.left_out != 0)
        check_error(&error);
    check(sluice_destroy(sluice) == SLUICE_OK);
    check(model_host_objects_in_use(host) == 0);
    check(model_host_destroy(host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_devicetree_error error;
    void *blob = malloc(bytes == 0 ? 1 : bytes); /* aligned, and of exactly this size */

    check(blob != NULL);
    if (bytes != 0)
        memcpy(blob, data, bytes);
    if (sluice_devicetree_open(blob, bytes, &tree, &error) == SLUICE_OK) {
        check(tree.bytes <= bytes && tree.unit_count <= SLUICE_DEVICETREE_UNITS_MAX);
        walk();
        sluice_devicetree_lint(&tree, on_finding, NULL);
        add_to_library(blob, bytes);
    } else {
        check_error(&error);
    }
    free(blob);
    return 0;
}
