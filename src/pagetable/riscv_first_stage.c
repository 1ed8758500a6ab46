// SPDX-License-Identifier: MIT
/*
 * The engine for Sv39, Sv48 and Sv57. Addresses are sign-extended; domains use the lower half.
 */
#define PTF_NAME            "RISC-V first stage"
#define PTF_DESCRIPTOR      pt_format_riscv_first_stage
#define PTF_ROOT_EXTRA_BITS 0u
#define PTF_SIGN_BITS       1u

#include "pagetable/riscv.h"

#include "pagetable/engine.h"
