// SPDX-License-Identifier: MIT
#include "dma_floor.h"

#include <string.h>

uint64_t floor_pop(struct floor_stack *stack)
{
    return stack->at[--stack->count];
}

void floor_push(struct floor_stack *stack, uint64_t value)
{
    stack->at[stack->count++] = value;
}

void floor_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}
