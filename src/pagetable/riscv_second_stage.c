// SPDX-License-Identifier: MIT
/*
 * The engine for Sv39x4, Sv48x4 and Sv57x4: a root of four tables' size, addresses as they are.
 */
#define PTF_NAME            "RISC-V second stage"
#define PTF_DESCRIPTOR      pt_format_riscv_second_stage
#define PTF_ROOT_EXTRA_BITS 2u
#define PTF_SIGN_BITS       0u
/* The unit looks at all of the root, however narrow the domain [RISC-V Privileged Sv39x4]. */
#define PTF_ROOT_WHOLE

#include "pagetable/riscv.h"

#include "pagetable/engine.h"
