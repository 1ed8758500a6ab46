// SPDX-License-Identifier: MIT
/*
 * The engine for 64-bit x86 tables: VT-d first stage, AMD v2.
 */
#include "pagetable/x86.h"

#include "pagetable/engine.h"
