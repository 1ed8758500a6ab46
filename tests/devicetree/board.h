// SPDX-License-Identifier: MIT
/*
 * What tests of the devicetree library share: the board's tree, and where reading it stands.
 */
#ifndef TESTS_DEVICETREE_BOARD_H
#define TESTS_DEVICETREE_BOARD_H

#include "builder.h"

#include <sluice/devicetree.h>

extern struct tree tree;
extern struct sluice_devicetree dt;
extern struct sluice_devicetree_cursor at;
extern struct sluice_devicetree_node node;
extern struct sluice_devicetree_error error;

/** A test that begins with the board as the builder makes it. */
#define BOARD_TEST(name) cmocka_unit_test_setup(name, begin_board)
int begin_board(void **state);

void open_tree(void);
/** Stands at a node; what `next` said about it. */
enum sluice_status stand(const char *path);
void read_well(const char *path);
/** It is refused, for this property and with these words. */
void refused(const char *path, const char *property, const char *what);

#endif
