// SPDX-License-Identifier: MIT
/*
 * The engine for AMD v1 tables, which device table entries point at.
 */
#include "pagetable/amd_v1.h"

#include "pagetable/engine.h"
