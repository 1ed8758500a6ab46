// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

struct tree tree;
struct sluice_devicetree dt;
struct sluice_devicetree_cursor at;
struct sluice_devicetree_node node;
struct sluice_devicetree_error error;

int begin_board(void **state)
{
    (void)state;
    tree_board(&tree);
    return 0;
}

void open_tree(void)
{
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error), SLUICE_OK);
}

enum sluice_status stand(const char *path)
{
    enum sluice_status status;

    open_tree();
    memset(&at, 0, sizeof(at));
    while ((status = sluice_devicetree_next(&dt, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (strcmp(node.path, path) == 0)
            return status;
    }
    fail_msg("%s is not among the nodes", path);
    return status;
}

void read_well(const char *path)
{
    enum sluice_status status = stand(path);

    if (status != SLUICE_OK)
        fail_msg("%s: %s %s", path, error.property != NULL ? error.property : "", error.what);
}

void refused(const char *path, const char *property, const char *what)
{
    assert_int_equal(stand(path), SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, path);
    if (property == NULL)
        assert_null(error.property);
    else
        assert_string_equal(error.property, property);
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
}
