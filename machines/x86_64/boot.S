// SPDX-License-Identifier: MIT
/*
 * From the loader's 32-bit world to C. Owns the entry point, the first page tables, the GDT and the
 * boot stack. The kernel is entered by the PVH protocol [Xen docs/misc/pvh: x86/HVM direct boot ABI]:
 * 32-bit protected mode, paging off, EBX = physical address of struct hvm_start_info.
 *
 * Address space set up here and kept (virtual and physical differ on purpose, so that a mix-up in
 * the library faults instead of working by luck):
 *   2 MiB .. 1 GiB           the kernel image, virtual = physical: text read-only, rest no-execute
 *   0xffff800000000000 + p   all RAM and firmware tables (first 4 GiB here, the rest by paging.c)
 *   0xffffc00000000000 + p   device registers, uncached, mapped on demand by paging.c
 * The first 2 MiB are not mapped at virtual = physical: a null pointer faults.
 */
        .section .note.pvh, "a", @note
        .balign 4
        .long   4                       // name size
        .long   8                       // description size
        .long   18                      // XEN_ELFNOTE_PHYS32_ENTRY
        .asciz  "Xen"
        .quad   x86_entry32

        .section .text.entry, "ax", @progbits
        .code32
        .globl  x86_entry32
x86_entry32:
        cli
        cld
        movl    %ebx, %edi              // first argument of x86_start

        movl    %cr4, %eax
        orl     $(1 << 5), %eax         // CR4.PAE
        movl    %eax, %cr4
        movl    $boot_pml4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       // IA32_EFER
        rdmsr
        orl     $((1 << 8) | (1 << 11)), %eax   // LME, NXE
        wrmsr
        movl    %cr0, %eax
        andl    $~((1 << 2) | (1 << 29) | (1 << 30)), %eax // EM, NW, CD off
        orl     $((1 << 31) | (1 << 16) | 1), %eax         // PG, WP, PE
        movl    %eax, %cr0
        lgdt    boot_gdtr
        ljmp    $0x08, $x86_entry64

        .code64
x86_entry64:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        xorl    %eax, %eax
        movw    %ax, %fs
        movw    %ax, %gs
        leaq    boot_stack_end(%rip), %rsp
        movl    %edi, %edi
        xorl    %ebp, %ebp
        call    x86_start
1:      hlt
        jmp     1b

        .section .data
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00af9b000000ffff      // 0x08: 64-bit code
        .quad   0x00cf93000000ffff      // 0x10: data
        .globl  x86_gdt_tss
x86_gdt_tss:
        .quad   0, 0                    // 0x18: task state, filled in by traps.c
boot_gdt_end:
boot_gdtr:
        .word   boot_gdt_end - boot_gdt - 1
        .quad   boot_gdt

        .balign 4096
        .globl  boot_pml4
boot_pml4:
        .quad   boot_pdpt_image + 3
        .fill   255, 8, 0
        .quad   boot_pdpt_direct + 3
        .fill   255, 8, 0
boot_pdpt_image:
        .quad   boot_pd_image + 3
        .fill   511, 8, 0
boot_pd_image:
        .quad   0
        .quad   0x200000 + 0x81         // text and constants: present, 2 MiB page, read-only
        .set    page, 2
        .rept   510
        .quad   (page << 21) + 0x83 + (1 << 63)
        .set    page, page + 1
        .endr
boot_pdpt_direct:
        .quad   boot_pd_direct + 3
        .quad   boot_pd_direct + 0x1003
        .quad   boot_pd_direct + 0x2003
        .quad   boot_pd_direct + 0x3003
        .fill   508, 8, 0
boot_pd_direct:
        .set    page, 0
        .rept   2048
        .quad   (page << 21) + 0x83 + (1 << 63)
        .set    page, page + 1
        .endr

        .section .bss
        .balign 4096
        .space  65536
boot_stack_end:

/*
 * One stub a vector: makes the stack frame of struct x86_frame the same for vectors with and
 * without an error code [SDM 3 6.13], then calls x86_trap(frame).
 */
        .section .text
        .altmacro
        .macro  stub vector
        .balign 16
        .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
        .else
        pushq   $0
        .endif
        pushq   $\vector
        jmp     trap_common
        .endm

        .balign 16
        .globl  x86_trap_stubs
x86_trap_stubs:
        .set    vector, 0
        .rept   256
        stub    %vector
        .set    vector, vector + 1
        .endr

        .noaltmacro
trap_common:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        cld
        movq    %rsp, %rdi
        call    x86_trap
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rbp
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rbx
        popq    %rax
        addq    $16, %rsp
        iretq

        .section .note.GNU-stack, "", @progbits
