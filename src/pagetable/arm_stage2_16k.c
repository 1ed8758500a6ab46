// SPDX-License-Identifier: MIT
/*
 * The engine for Arm's stage 2 tables with pages of 16 KiB.
 */
#define PTF_NAME        "Arm stage 2, 16 KiB"
#define PTF_DESCRIPTOR  pt_format_arm_stage2_16k
#define PTF_GRANULE_LG2 14u
#define PTF_LEVELS_MIN  2u
#define PTF_LEVELS_MAX  4u
#define ARM_STAGE       2

#include "pagetable/arm.h"

#include "pagetable/engine.h"
