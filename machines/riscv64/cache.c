// SPDX-License-Identifier: MIT
/*
 * Writing caches back to memory, for units whose table walks do not snoop [RISC-V CMO 2.4], where
 * the devicetree says that this CPU has Zicbom. Where it has not, all of the machine is coherent.
 */
#include "arch.h"
#include "riscv64.h"

static uintptr_t block_bytes;

void riscv64_cache_init(const struct devicetree *tree)
{
    struct devicetree_node node;
    struct devicetree_value value;
    if (!devicetree_find(tree, "riscv", 0, &node) ||
        !devicetree_property(tree, &node, "riscv,isa-extensions", &value) ||
        !devicetree_lists(&value, "zicbom") ||
        !devicetree_property(tree, &node, "riscv,cbom-block-size", &value))
        return;
    block_bytes = devicetree_number(&value, 0, 1);
    if ((block_bytes & (block_bytes - 1)) != 0)
        block_bytes = 0;
}

void arch_cache_clean(const void *virt, size_t bytes)
{
    uintptr_t at = (uintptr_t)virt & ~(block_bytes - 1);
    for (; block_bytes != 0 && at < (uintptr_t)virt + bytes; at += block_bytes)
        __asm__ volatile(".insn i 0x0f, 2, x0, %0, 1" : : "r"(at) : "memory"); /* cbo.clean */
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}
