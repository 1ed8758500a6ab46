// SPDX-License-Identifier: MIT
/*
 * tree-build NAME: a devicetree of the builder on standard output, for tests that are scripts and
 * for seeds of the fuzzer.
 */
#include "builder.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static struct tree tree;

    if (argc != 2 || !tree_named(&tree, argv[1])) {
        (void)fputs("usage: tree-build board|riscv|broken\n", stderr);
        return 2;
    }
    return fwrite(tree.blob, 1, tree.bytes, stdout) == tree.bytes ? 0 : 1;
}
