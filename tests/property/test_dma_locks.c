// SPDX-License-Identifier: MIT
/*
 * The fast path of the DMA API takes no locked instruction where the host can say "stay on this
 * CPU": a child maps and unmaps a page, and its parent looks at every single instruction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dma_world.h"

#define CYCLES       20u
#define INSTRUCTIONS 200000u /* more than these cycles can take */
#define BREAKPOINT   0xccu

_Thread_local unsigned thread_cpu;

/** What the parent saw between the child's two breakpoints. */
struct seen {
    bool traced, ended;
    unsigned instructions, locked;
};

static void cycle(struct sluice_dma *dma)
{
    sluice_iova_t address;

    if (sluice_dma_map(dma, 0x123000, DMA_PAGE, BOTH, NULL, &address) != SLUICE_OK ||
        sluice_dma_unmap(dma, address, DMA_PAGE, BOTH, NULL) != SLUICE_OK)
        _exit(1);
}

/** The child: a lazy domain whose queue is neither empty nor nearly full. */
static void run_child(bool with_lock)
{
    struct dma_world_config config = dma_world_defaults();
    static volatile unsigned word;
    struct dma_world world;

    config.domain.lazy = true;
    dma_world_start(&world, &config);
    for (unsigned i = 0; i < 8; i++)
        cycle(world.dma);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(2);
    __asm__ volatile("int3");
    for (unsigned i = 0; i < CYCLES; i++)
        cycle(world.dma);
    if (with_lock)
        __atomic_fetch_add(&word, 1, __ATOMIC_RELAXED);
    __asm__ volatile("int3");
    _exit(0);
}

static unsigned byte_at(pid_t child, unsigned long long address)
{
    return (unsigned)ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)address, NULL) & 0xffu;
}

/** Whether an instruction locks the bus: LOCK, or XCHG with memory, behind other prefixes. */
static bool is_locked(pid_t child, unsigned long long at)
{
    for (unsigned i = 0; i < 15; i++, at++) {
        unsigned byte = byte_at(child, at);

        if (byte == 0xf0u)
            return true;
        if (byte == 0x66u || byte == 0x67u || byte == 0xf2u || byte == 0xf3u || byte == 0x2eu ||
            byte == 0x36u || byte == 0x3eu || byte == 0x26u || byte == 0x64u || byte == 0x65u ||
            (byte & 0xf0u) == 0x40u)
            continue;
        return (byte == 0x86u || byte == 0x87u) && (byte_at(child, at + 1) >> 6) != 3;
    }
    return false;
}

static unsigned long long place_of(pid_t child)
{
    /* RIP is the 17th word of struct user_regs_struct. */
    return (unsigned long long)ptrace(PTRACE_PEEKUSER, child, (void *)(16 * sizeof(long)), NULL);
}

static void watch(pid_t child, struct seen *seen)
{
    int status;

    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        return;
    seen->traced = true;
    while (seen->instructions < INSTRUCTIONS) {
        unsigned long long at = place_of(child);

        if (byte_at(child, at) == BREAKPOINT) {
            seen->ended = true;
            break;
        }
        seen->locked += is_locked(child, at);
        seen->instructions++;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            return;
    }
}

static struct seen look(bool with_lock)
{
    struct seen seen = {0};
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        run_child(with_lock);
    watch(child, &seen);
    (void)ptrace(PTRACE_KILL, child, NULL, NULL);
    (void)waitpid(child, &status, 0);
    return seen;
}

static void test_no_locked_instruction(void **state)
{
    struct seen seen = look(false);

    (void)state;
    if (!seen.traced) {
        print_message("# this system does not let a process be traced\n");
        skip();
    }
    assert_true(seen.ended);
    assert_in_range(seen.instructions, CYCLES * 60, CYCLES * 2000);
    assert_int_equal(seen.locked, 0);
    print_message("# %u instructions a cycle, none of them locked\n", seen.instructions / CYCLES);
}

/** That one would be seen. */
static void test_sees_one(void **state)
{
    struct seen seen = look(true);

    (void)state;
    if (!seen.traced) {
        print_message("# this system does not let a process be traced\n");
        skip();
    }
    assert_true(seen.ended);
    assert_int_equal(seen.locked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_locked_instruction),
        cmocka_unit_test(test_sees_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
