// SPDX-License-Identifier: MIT
/*
 * Floors of the DMA API: the least that any code has to do. In a file of its own, so that the
 * compiler sees neither caller nor result.
 */
#ifndef BENCH_DMA_FLOOR_H
#define BENCH_DMA_FLOOR_H

#include <stddef.h>
#include <stdint.h>

/** A stack of addresses that one thread owns. */
struct floor_stack {
    uint32_t count;
    uint64_t at[256];
};

uint64_t floor_pop(struct floor_stack *stack);
void floor_push(struct floor_stack *stack, uint64_t value);

/** memcpy that is not optimised away. */
void floor_copy(void *to, const void *from, size_t bytes);

#endif
