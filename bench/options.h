// SPDX-License-Identifier: MIT
/*
 * What every benchmark takes: [--json] [--rounds N].
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_options {
    unsigned rounds;
    bool json;
};

/** @param rounds  when nobody asks for another number. Ends the program at what it does not know.
 */
static inline struct bench_options bench_options(int argc, char **argv, unsigned rounds)
{
    struct bench_options options = {.rounds = rounds};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            options.rounds = (unsigned)strtoul(argv[++i], NULL, 0);
        } else {
            fprintf(stderr, "usage: %s [--json] [--rounds N]\n", argv[0]);
            exit(2);
        }
    }
    options.rounds = options.rounds != 0 ? options.rounds : 1;
    return options;
}

#endif
