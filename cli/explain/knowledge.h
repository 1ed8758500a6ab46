// SPDX-License-Identifier: MIT
// The explanations: a text file (explanations.txt) built into the program, or another one given
// on the command line; both go through the same reader. Called by explain.c and the reports.
#ifndef SLUICE_CLI_EXPLAIN_KNOWLEDGE_H
#define SLUICE_CLI_EXPLAIN_KNOWLEDGE_H

#include "pattern.h"

enum {
    KNOWLEDGE_MOST_CONDITIONS = 4,
    KNOWLEDGE_MOST_ITEMS = 6,
    ADVICE_MOST_ITEMS = 12
};

struct items {
    const char *list[KNOWLEDGE_MOST_ITEMS];
    unsigned int count;
};

struct explanation {
    const char *kind; // or "*"
    struct {
        const char *key;
        const char *value;
    } conditions[KNOWLEDGE_MOST_CONDITIONS];
    unsigned int condition_count;
    const char *title;
    const char *verdict;
    const char *says;
    struct items causes;
    struct items tells;
    struct items actions;
};

struct knowledge {
    char *text; // owned; everything points into it
    struct explanation *entries;
    unsigned int count;
};

struct advice {
    const char *title;
    const char *verdict;
    const char *says;
    const char *causes[ADVICE_MOST_ITEMS];
    const char *tells[ADVICE_MOST_ITEMS];
    const char *actions[ADVICE_MOST_ITEMS];
    unsigned int cause_count;
    unsigned int tell_count;
    unsigned int action_count;
};

// Read explanations from text (copied). Returns false with a line number and what is wrong
// there, or with line 0 out of memory. Release with knowledge_free.
bool knowledge_read(struct knowledge *out_knowledge, const char *text, size_t length_bytes,
                    unsigned int *out_line, const char **out_why);
void knowledge_free(struct knowledge *knowledge);

// What the explanations say of an entry: the fitting sections, the most specific first.
void knowledge_advise(const struct knowledge *knowledge, const struct problem *problem,
                      const struct reading *readings, unsigned int reading_count,
                      struct advice *out_advice);

// The title of a boot fact's section, or NULL.
const char *knowledge_title(const struct knowledge *knowledge, const char *kind);

// The file as built in.
extern const char explanations_text[];
extern const size_t explanations_bytes;

#endif
