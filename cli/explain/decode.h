// SPDX-License-Identifier: MIT
// What the codes and flags in messages mean, in the words of the specifications, re-told.
// Called by the hooks and the reports.
#ifndef SLUICE_CLI_EXPLAIN_DECODE_H
#define SLUICE_CLI_EXPLAIN_DECODE_H

#include "problems.h"

// The meaning of a fault reason [VT-d 7.1.3, tables 13 to 15]; never NULL.
const char *decode_vtd_reason(uint64_t reason);

// An SMMUv3 event's code from its name, 0 where there is none [SMMUv3 7.3].
uint64_t decode_smmu3_code(struct span name);
const char *decode_smmu3_name(uint64_t code);

// Fill the fields that the first `count` words of an event record say.
void decode_smmu3_event(const uint64_t *words, unsigned int count, struct fields *fields);

// Everything the hardware said in the messages of an entry, as sentences.
void decode_problem(const struct problem *problem, char *out_text, size_t size_bytes);

#endif
