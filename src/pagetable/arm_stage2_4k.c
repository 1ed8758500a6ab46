// SPDX-License-Identifier: MIT
/*
 * The engine for Arm's stage 2 tables with pages of 4 KiB.
 */
#define PTF_NAME        "Arm stage 2, 4 KiB"
#define PTF_DESCRIPTOR  pt_format_arm_stage2_4k
#define PTF_GRANULE_LG2 12u
#define PTF_LEVELS_MIN  3u
#define PTF_LEVELS_MAX  4u
#define ARM_STAGE       2

#include "pagetable/arm.h"

#include "pagetable/engine.h"
