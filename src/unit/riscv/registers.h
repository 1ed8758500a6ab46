// SPDX-License-Identifier: MIT
/*
 * RISC-V IOMMU registers and structures, each field described once: name, place, words. The lists
 * below yield the offsets and masks that are programmed with and, in registers.c, the rows that
 * reports decode values with.
 *
 * Section numbers are of the RISC-V IOMMU Architecture Specification, 1.0; MSI page tables are of
 * the RISC-V Advanced Interrupt Architecture, 1.0.
 */
#ifndef SLUICE_UNIT_RISCV_REGISTERS_H
#define SLUICE_UNIT_RISCV_REGISTERS_H

#include "unit/field.h"

#define RIOMMU_REGISTER_BYTES 0x1000u /**< [RISC-V IOMMU 5.1] */
#define RIOMMU_VECTORS        16u     /**< entries of msi_cfg_tbl [RISC-V IOMMU 5.29] */

/* R(name, offset, width in bytes, section, what it is) */
// clang-format off
#define RIOMMU_REGISTERS(R)                                                                        \
    R(CAPABILITIES, 0x000, 8, "5.3", "what the unit can do")                                       \
    R(FCTL, 0x008, 4, "5.4", "features: byte order, wires, guest width")                           \
    R(DDTP, 0x010, 8, "5.5", "device directory table and mode")                                    \
    R(CQB, 0x018, 8, "5.6", "command queue base and size")                                         \
    R(CQH, 0x020, 4, "5.7", "command queue head: next to be fetched")                              \
    R(CQT, 0x024, 4, "5.8", "command queue tail: next to be written")                              \
    R(FQB, 0x028, 8, "5.9", "fault queue base and size")                                           \
    R(FQH, 0x030, 4, "5.10", "fault queue head")                                                   \
    R(FQT, 0x034, 4, "5.11", "fault queue tail")                                                   \
    R(PQB, 0x038, 8, "5.12", "page request queue base and size")                                   \
    R(PQH, 0x040, 4, "5.13", "page request queue head")                                            \
    R(PQT, 0x044, 4, "5.14", "page request queue tail")                                            \
    R(CQCSR, 0x048, 4, "5.15", "command queue control and status")                                 \
    R(FQCSR, 0x04c, 4, "5.16", "fault queue control and status")                                   \
    R(PQCSR, 0x050, 4, "5.17", "page request queue control and status")                            \
    R(IPSR, 0x054, 4, "5.18", "pending interrupts")                                                \
    R(ICVEC, 0x2f8, 8, "5.28", "which vector each cause of interrupts has")                        \
    R(MSI_CFG_TBL, 0x300, 8, "5.29", "messages, 16 bytes a vector: address, data, mask")

/* F(where, name, high bit, low bit, words) */
#define RIOMMU_FIELDS(F)                                                                           \
    F(CAP, VERSION, 7, 0, "specification, a digit a nibble")                                       \
    F(CAP, SV32, 8, 8, "first stage Sv32")                                                         \
    F(CAP, SV39, 9, 9, "first stage Sv39")                                                         \
    F(CAP, SV48, 10, 10, "first stage Sv48")                                                       \
    F(CAP, SV57, 11, 11, "first stage Sv57")                                                       \
    F(CAP, SVRSW60T59B, 14, 14, "entry bits 60:59 are software's")                                 \
    F(CAP, SVPBMT, 15, 15, "memory types in page-table entries")                                   \
    F(CAP, SV32X4, 16, 16, "second stage Sv32x4")                                                  \
    F(CAP, SV39X4, 17, 17, "second stage Sv39x4")                                                  \
    F(CAP, SV48X4, 18, 18, "second stage Sv48x4")                                                  \
    F(CAP, SV57X4, 19, 19, "second stage Sv57x4")                                                  \
    F(CAP, AMO_MRIF, 21, 21, "updates interrupt files in memory atomically")                       \
    F(CAP, MSI_FLAT, 22, 22, "MSI page tables; device contexts of 64 bytes")                       \
    F(CAP, MSI_MRIF, 23, 23, "interrupt files in memory")                                          \
    F(CAP, AMO_HWAD, 24, 24, "writes accessed and dirty bits")                                     \
    F(CAP, ATS, 25, 25, "ATS and page requests")                                                   \
    F(CAP, T2GPA, 26, 26, "device TLBs can be given guest addresses")                              \
    F(CAP, END, 27, 27, "both byte orders")                                                        \
    F(CAP, IGS, 29, 28, "interrupts: 0 messages, 1 wires, 2 both")                                 \
    F(CAP, HPM, 30, 30, "performance counters")                                                    \
    F(CAP, DBG, 31, 31, "translates on request of software")                                       \
    F(CAP, PAS, 37, 32, "bits of a physical address")                                              \
    F(CAP, PD8, 38, 38, "process directories of one level, 8 bits")                                \
    F(CAP, PD17, 39, 39, "of two levels, 17 bits")                                                 \
    F(CAP, PD20, 40, 40, "of three levels, 20 bits")                                               \
    F(CAP, QOSID, 41, 41, "quality-of-service IDs")                                                \
    F(CAP, NL, 42, 42, "invalidates entries that are no leaves by address")                        \
    F(CAP, S, 43, 43, "invalidates by range")                                                      \
    F(FCTL, BE, 0, 0, "big-endian")                                                                \
    F(FCTL, WSI, 1, 1, "interrupts by wires")                                                      \
    F(FCTL, GXL, 2, 2, "guest addresses of 32-bit guests only")                                    \
    F(DDTP, MODE, 3, 0, "0 off, 1 bare, 2 to 4: one to three levels")                              \
    F(DDTP, BUSY, 4, 4, "a write has not taken effect yet")                                        \
    F(DDTP, PPN, 53, 10, "root page")                                                              \
    F(QB, LOG2SZ_1, 4, 0, "log2 of entries, less one")                                             \
    F(QB, PPN, 53, 10, "root page")                                                                \
    F(CQCSR, CQEN, 0, 0, "enable")                                                                 \
    F(CQCSR, CIE, 1, 1, "interrupts on")                                                           \
    F(CQCSR, CQMF, 8, 8, "memory fault: a command could not be read, or its completion written")   \
    F(CQCSR, CMD_TO, 9, 9, "a device did not answer in time")                                      \
    F(CQCSR, CMD_ILL, 10, 10, "illegal command")                                                   \
    F(CQCSR, FENCE_W_IP, 11, 11, "a fence that asked for a wire's interrupt is complete")          \
    F(CQCSR, CQON, 16, 16, "on")                                                                   \
    F(CQCSR, BUSY, 17, 17, "a write has not taken effect yet")                                     \
    F(FQCSR, FQEN, 0, 0, "enable")                                                                 \
    F(FQCSR, FIE, 1, 1, "interrupts on")                                                           \
    F(FQCSR, FQMF, 8, 8, "memory fault: a record could not be written")                            \
    F(FQCSR, FQOF, 9, 9, "overflow: records are dropped")                                          \
    F(FQCSR, FQON, 16, 16, "on")                                                                   \
    F(FQCSR, BUSY, 17, 17, "a write has not taken effect yet")                                     \
    F(IPSR, CIP, 0, 0, "command queue")                                                            \
    F(IPSR, FIP, 1, 1, "fault queue")                                                              \
    F(IPSR, PMIP, 2, 2, "performance counters")                                                    \
    F(IPSR, PIP, 3, 3, "page request queue")                                                       \
    F(DDTE, V, 0, 0, "valid")                                                                      \
    F(DDTE, PPN, 53, 10, "next table")                                                             \
    F(TC, V, 0, 0, "valid")                                                                        \
    F(TC, EN_ATS, 1, 1, "may use ATS")                                                             \
    F(TC, EN_PRI, 2, 2, "may request pages")                                                       \
    F(TC, T2GPA, 3, 3, "its device TLB holds guest addresses")                                     \
    F(TC, DTF, 4, 4, "faults of translation are not reported")                                     \
    F(TC, PDTV, 5, 5, "FSC is a process directory")                                                \
    F(TC, PRPR, 6, 6, "answers to page requests carry the PASID")                                  \
    F(TC, GADE, 7, 7, "second stage: the unit writes accessed and dirty")                          \
    F(TC, SADE, 8, 8, "first stage: the unit writes accessed and dirty")                           \
    F(TC, DPE, 9, 9, "requests without a process ID have process 0")                               \
    F(TC, SBE, 10, 10, "first stage and process directory are big-endian")                         \
    F(TC, SXL, 11, 11, "first stage of 32 bits")                                                   \
    F(IOHGATP, PPN, 43, 0, "second-stage root")                                                    \
    F(IOHGATP, GSCID, 59, 44, "guest ID")                                                          \
    F(IOHGATP, MODE, 63, 60, "0 bare, 8 Sv39x4, 9 Sv48x4, 10 Sv57x4")                              \
    F(TA, PSCID, 31, 12, "address space ID")                                                       \
    F(FSC, PPN, 43, 0, "first-stage root, or process directory")                                   \
    F(FSC, MODE, 63, 60, "0 bare, 8 Sv39, 9 Sv48, 10 Sv57; of a directory 1 PD8, 2 PD17, 3 PD20")  \
    F(MSIPTP, PPN, 43, 0, "MSI page table")                                                        \
    F(MSIPTP, MODE, 63, 60, "0 off, 1 flat")                                                       \
    F(PC, V, 0, 0, "valid")                                                                        \
    F(PC, ENS, 1, 1, "supervisor accesses are allowed")                                            \
    F(PC, SUM, 2, 2, "supervisor accesses reach users' pages")                                     \
    F(PC, PSCID, 31, 12, "address space ID")                                                       \
    F(MSIPTE, V, 0, 0, "valid")                                                                    \
    F(MSIPTE, M, 2, 1, "1 interrupt file in memory, 3 basic")                                      \
    F(MSIPTE, MRIF, 53, 7, "interrupt file, in units of 512 bytes")                                \
    F(MSIPTE, PPN, 53, 10, "page of the real interrupt file")                                      \
    F(MSIPTE, C, 63, 63, "custom format")                                                          \
    F(MSINOTE, NID, 9, 0, "notice: identity, bits 9:0")                                            \
    F(MSINOTE, NPPN, 53, 10, "notice: page it goes to")                                            \
    F(MSINOTE, NID10, 60, 60, "notice: identity, bit 10")                                          \
    F(FAULT, CAUSE, 11, 0, "why")                                                                  \
    F(FAULT, PID, 31, 12, "process ID")                                                            \
    F(FAULT, PV, 32, 32, "has a process ID")                                                       \
    F(FAULT, PRIV, 33, 33, "supervisor access")                                                    \
    F(FAULT, TTYP, 39, 34, "kind of transaction")                                                  \
    F(FAULT, DID, 63, 40, "device ID")                                                             \
    F(REQUEST, PID, 31, 12, "process ID")                                                          \
    F(REQUEST, PV, 32, 32, "has a process ID")                                                     \
    F(REQUEST, PRIV, 33, 33, "supervisor access")                                                  \
    F(REQUEST, EXEC, 34, 34, "wants to execute")                                                   \
    F(REQUEST, DID, 63, 40, "device ID")                                                           \
    F(PAGE, R, 0, 0, "wants to read")                                                              \
    F(PAGE, W, 1, 1, "wants to write")                                                             \
    F(PAGE, L, 2, 2, "last of its group")                                                          \
    F(PAGE, PRGI, 11, 3, "group")
// clang-format on

enum riommu_register {
#define R(name, offset, width, section, text) RIOMMU_REG_##name = (offset),
    RIOMMU_REGISTERS(R)
#undef R
};

enum {
#define F(where, name, high, low, text) RIOMMU_LOW_##where##_##name = (low),
    RIOMMU_FIELDS(F)
#undef F
};

enum {
#define F(where, name, high, low, text) RIOMMU_HIGH_##where##_##name = (high),
    RIOMMU_FIELDS(F)
#undef F
};

#define RIOMMU_MASK(field) UNIT_BITS(RIOMMU_HIGH_##field, RIOMMU_LOW_##field)
#define RIOMMU_GET(field, value)                                                                   \
    ((uint64_t)((value)&RIOMMU_MASK(field)) >> (unsigned)RIOMMU_LOW_##field)
#define RIOMMU_PREP(field, value)                                                                  \
    (((uint64_t)(value) << (unsigned)RIOMMU_LOW_##field) & RIOMMU_MASK(field))

/** DDTP.MODE [RISC-V IOMMU 5.5]. */
enum riommu_ddtp_mode {
    RIOMMU_DDTP_OFF = 0,  /**< everything is blocked */
    RIOMMU_DDTP_BARE = 1, /**< everything passes */
    RIOMMU_DDTP_1LVL = 2,
    RIOMMU_DDTP_2LVL = 3,
    RIOMMU_DDTP_3LVL = 4,
};

/** CAP.IGS [RISC-V IOMMU 5.3]. */
enum riommu_igs {
    RIOMMU_IGS_MSI = 0,
    RIOMMU_IGS_WSI = 1,
    RIOMMU_IGS_BOTH = 2,
};

extern const struct unit_field riommu_fields[];
extern const size_t riommu_field_count;
extern const struct unit_register riommu_registers[];
extern const size_t riommu_register_count;

#endif
