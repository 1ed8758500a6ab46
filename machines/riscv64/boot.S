// SPDX-License-Identifier: MIT
/*
 * From OpenSBI to C: entered in S mode with paging off, this hart's ID in a0 and the devicetree's
 * address in a1. Owns the entry, the first page tables, the trap entry and the boot stack.
 *
 * Address space set up here and kept, with Sv48 (virtual and physical differ on purpose, so that a
 * mix-up in the library faults instead of working by luck):
 *   0x80200000 .. 0x88000000   the kernel image, virtual = physical: text read-only, rest no-execute
 *   0xffff800000000000 + p     RAM (its first GiB and the devicetree's here, the rest when known)
 *   0xffffc00000000000 + p     device registers, mapped on demand
 */
        .set    TABLE, 0x01                     // V
        .set    READ_EXECUTE, 0x4b              // V, R, X, A
        .set    READ_WRITE, 0xc7                // V, R, W, A, D

        .section .text.entry, "ax", @progbits
        .globl  riscv64_entry
riscv64_entry:
        csrw    sie, zero
        csrci   sstatus, 2                      // SIE
        mv      s0, a0
        mv      s1, a1
        la      sp, boot_stack_end

        // An entry is the address shifted right by 2 [RISC-V Privileged 12.4.1], which no
        // relocation can say: the pointers between tables are written here.
        la      t0, riscv64_root
        la      t1, boot_low_1g
        srli    t1, t1, 2
        ori     t1, t1, TABLE
        sd      t1, 0(t0)
        la      t1, boot_high_1g
        srli    t1, t1, 2
        ori     t1, t1, TABLE
        li      t2, 256 * 8
        add     t2, t2, t0
        sd      t1, 0(t2)
        la      t1, boot_low_2m
        srli    t1, t1, 2
        ori     t1, t1, TABLE
        la      t2, boot_low_1g
        sd      t1, 2 * 8(t2)

        srli    t1, s1, 30                      // the GiB that the devicetree lies in
        la      t2, boot_high_1g
        slli    t3, t1, 3
        add     t2, t2, t3
        slli    t1, t1, 28
        ori     t1, t1, READ_WRITE
        sd      t1, 0(t2)

        srli    t0, t0, 12
        li      t1, 9 << 60                     // Sv48
        or      t0, t0, t1
        sfence.vma
        csrw    satp, t0
        sfence.vma
        la      t0, trap_entry
        csrw    stvec, t0
        mv      a0, s0
        mv      a1, s1
        li      s0, 0
        li      ra, 0
        call    riscv64_start
1:      wfi
        j       1b

        .section .data
        .balign 4096
        .globl  riscv64_root
riscv64_root:
        .fill   512, 8, 0
boot_low_1g:
        .fill   512, 8, 0
boot_low_2m:
        .quad   0
        .quad   (0x80200000 >> 2) + READ_EXECUTE
        .set    page, 2
        .rept   62
        .quad   ((0x80000000 + (page << 21)) >> 2) + READ_WRITE
        .set    page, page + 1
        .endr
        .fill   448, 8, 0
boot_high_1g:
        .quad   0, 0
        .quad   (0x80000000 >> 2) + READ_WRITE
        .fill   509, 8, 0

        .section .bss
        .balign 4096
        .space  65536
boot_stack_end:

/*
 * Every trap: saves all registers and calls riscv64_trap(frame). One stack, since it never leaves S
 * mode.
 */
        .section .text
        .balign 4
trap_entry:
        addi    sp, sp, -288
        sd      x1, 8(sp)
        sd      x3, 24(sp)
        sd      x4, 32(sp)
        sd      x5, 40(sp)
        addi    x5, sp, 288
        sd      x5, 16(sp)
        .irp    number, 6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        sd      x\number, 8 * \number(sp)
        .endr
        csrr    t0, sepc
        csrr    t1, sstatus
        csrr    t2, scause
        sd      t0, 256(sp)
        sd      t1, 264(sp)
        sd      t2, 272(sp)
        csrr    t0, stval
        sd      t0, 280(sp)
        mv      a0, sp
        call    riscv64_trap
        ld      t0, 256(sp)
        ld      t1, 264(sp)
        csrw    sepc, t0
        csrw    sstatus, t1
        .irp    number, 6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        ld      x\number, 8 * \number(sp)
        .endr
        ld      x1, 8(sp)
        ld      x3, 24(sp)
        ld      x4, 32(sp)
        ld      x5, 40(sp)
        addi    sp, sp, 288
        sret

        .section .note.GNU-stack, "", @progbits
