// SPDX-License-Identifier: MIT
/*
 * Subscriptions, as work.c and center.c share them.
 */
#ifndef SLUICE_FAULT_WORK_H
#define SLUICE_FAULT_WORK_H

#include "fault/fault.h"

struct sluice_fault_subscription {
    struct list_node node; /**< in center->subscribers, guarded by center->lock */
    struct fault_center *center;
    sluice_fault_subscriber *subscriber;
    void *arg;
    uint64_t cursor;   /**< next record to tell; by who works */
    uint64_t lost;     /**< records skipped since the last one told; by who works */
    uint64_t order;    /**< rising in the list: who is told after whom */
    atomic_uint calls; /**< held by who works, so that it is not freed */
    atomic_uint ended; /**< 1: unsubscribe waits for the call that runs, the last one */
};

#endif
