// SPDX-License-Identifier: MIT
/*
 * For tests whose threads run without a pause. A thread that holds a model's lock nearly all the
 * time has it again before one that waits for it was woken: on a busy machine the other one stands
 * still for seconds.
 */
#ifndef TESTS_UNIT_GIVE_WAY_H
#define TESTS_UNIT_GIVE_WAY_H

#include <time.h>

static inline void give_way(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

#endif
