// SPDX-License-Identifier: MIT
/*
 * Monotonic time from the time counter, whose frequency the devicetree says.
 */
#include "arch.h"
#include "options.h"
#include "riscv64.h"

static uint64_t start, ns_per_tick_q32; /* 32 fraction bits */

void riscv64_time_init(const struct devicetree *tree)
{
    struct devicetree_node node = {0};
    struct devicetree_value value;
    uint64_t hz = 0;
    while (hz == 0 && devicetree_next(tree, &node)) {
        if (node.depth == 1 && text_equal(node.name, "cpus") &&
            devicetree_property(tree, &node, "timebase-frequency", &value))
            hz = devicetree_number(&value, 0, value.bytes / 4);
    }
    ns_per_tick_q32 = hz == 0 ? 1ull << 32 : (1000000000ull << 32) / hz;
    start = riscv64_read_csr("time");
}

uint64_t arch_now_ns(void)
{
    uint64_t ticks = riscv64_read_csr("time") - start;
    return (uint64_t)(((unsigned __int128)ticks * ns_per_tick_q32) >> 32);
}

void arch_pause(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory"); /* pause, else a fence */
}
