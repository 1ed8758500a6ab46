// SPDX-License-Identifier: MIT
/*
 * From the loader to C, by the Linux boot protocol for arm64: a flat image with a header, entered at
 * its first byte with the MMU off and the devicetree's address in x0. Owns the entry, the first
 * page tables, the exception vectors and the boot stack.
 *
 * Address space set up here and kept (virtual and physical differ on purpose, so that a mix-up in
 * the library faults instead of working by luck):
 *   0x40200000 .. 0x48000000   the kernel image, virtual = physical: text read-only, rest no-execute
 *   0xffff000000000000 + p     RAM (its first GiB here, the rest when it is known)
 *   0xffff800000000000 + p     device registers, mapped on demand
 */
        .set    SCTLR_ON, 0x30d00800 | (1 << 12) | (1 << 3) | (1 << 2) | 1 // I, SA, C, M over RES1
        .set    MAIR, 0x04ff            // 0: normal, write-back; 1: Device-nGnRE
        .set    TCR, 16 | (1 << 8) | (1 << 10) | (3 << 12) | (16 << 16) | (1 << 24) | (1 << 26) | (3 << 28) | (2 << 30)
        .set    ATTR_RAM, (1 << 10) + (3 << 8)          // AF, inner shareable
        .set    XN, (3 << 53)
        .set    READ_ONLY, (1 << 7)

        .section .text.entry, "ax", @progbits
        .globl  aarch64_entry
aarch64_entry:
        b       1f                      // [Linux booting 4]
        .long   0
        .quad   0                       // text offset: at the start of memory, or 2 MiB above it
        .quad   image_bytes
        .quad   2                       // little-endian, 4 KiB pages, 2 MiB aligned
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0

1:      mrs     x1, CurrentEL
        cmp     x1, #(1 << 2)
        b.ne    .                       // only EL1 is made use of
        adr     x1, aarch64_entry
        ldr     x2, =image_start
        cmp     x1, x2
        b.ne    .                       // loaded elsewhere: nothing can be said yet
        mov     x19, x0

        ldr     x1, =bss_start
        ldr     x2, =image_end
2:      stp     xzr, xzr, [x1], #16
        cmp     x1, x2
        b.lo    2b

        ldr     x1, =MAIR
        msr     mair_el1, x1
        ldr     x1, =TCR
        mrs     x2, id_aa64mmfr0_el1
        and     x2, x2, #7              // PARange: as many physical bits as the CPU has
        orr     x1, x1, x2, lsl #32
        msr     tcr_el1, x1
        ldr     x1, =boot_low
        msr     ttbr0_el1, x1
        ldr     x1, =aarch64_high
        msr     ttbr1_el1, x1
        ldr     x1, =aarch64_vectors
        msr     vbar_el1, x1
        tlbi    vmalle1
        ic      iallu
        dsb     sy
        isb
        ldr     x1, =SCTLR_ON
        msr     sctlr_el1, x1
        isb
        msr     spsel, #1
        ldr     x1, =boot_stack_end
        mov     sp, x1
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x19
        bl      aarch64_start
        b       .
        .ltorg

        .section .data
        .balign 4096
boot_low:
        .quad   boot_low_1g + 3
        .fill   511, 8, 0
boot_low_1g:
        .quad   0
        .quad   boot_low_2m + 3
        .fill   510, 8, 0
boot_low_2m:
        .quad   0
        .quad   0x40200000 + 1 + ATTR_RAM + READ_ONLY
        .set    page, 2
        .rept   62
        .quad   0x40000000 + (page << 21) + 1 + ATTR_RAM + XN
        .set    page, page + 1
        .endr
        .fill   448, 8, 0
        .globl  aarch64_high
aarch64_high:
        .quad   boot_high_1g + 3
        .fill   511, 8, 0
boot_high_1g:
        .quad   0
        .quad   0x40000000 + 1 + ATTR_RAM + XN
        .fill   510, 8, 0

        .section .bss
        .balign 4096
        .space  65536
boot_stack_end:

/*
 * Exception vectors [Arm ARM D1.4.2]: each saves what C may change and calls aarch64_trap(frame)
 * with the vector's number in the frame.
 */
        .section .text
        .macro  vector number
        .balign 128
        sub     sp, sp, #288
        stp     x0, x1, [sp, #0]
        mov     x0, #\number
        b       trap_common
        .endm

        .balign 2048
        .globl  aarch64_vectors
aarch64_vectors:
        .altmacro
        .set    number, 0
        .rept   16
        vector  %number
        .set    number, number + 1
        .endr
        .noaltmacro

        .balign 128
trap_common:
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        add     x1, sp, #288
        stp     x30, x1, [sp, #240]
        mrs     x1, elr_el1
        mrs     x2, spsr_el1
        stp     x1, x2, [sp, #256]
        str     x0, [sp, #272]
        mov     x0, sp
        bl      aarch64_trap
        ldp     x1, x2, [sp, #256]
        msr     elr_el1, x1
        msr     spsr_el1, x2
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x8, x9, [sp, #64]
        ldp     x10, x11, [sp, #80]
        ldp     x12, x13, [sp, #96]
        ldp     x14, x15, [sp, #112]
        ldp     x16, x17, [sp, #128]
        ldp     x18, x19, [sp, #144]
        ldp     x20, x21, [sp, #160]
        ldp     x22, x23, [sp, #176]
        ldp     x24, x25, [sp, #192]
        ldp     x26, x27, [sp, #208]
        ldp     x28, x29, [sp, #224]
        ldr     x30, [sp, #240]
        ldp     x0, x1, [sp, #0]
        add     sp, sp, #288
        eret

        .section .note.GNU-stack, "", @progbits
