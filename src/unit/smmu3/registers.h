// SPDX-License-Identifier: MIT
/*
 * SMMUv3 registers and structures, each field described once: name, place, words. The lists below
 * yield the offsets and masks that are programmed with and, in registers.c, the rows that reports
 * decode values with.
 *
 * Section numbers are of the Arm SMMU architecture specification, version 3 (IHI 0070), F.b.
 */
#ifndef SLUICE_UNIT_SMMU3_REGISTERS_H
#define SLUICE_UNIT_SMMU3_REGISTERS_H

#include "unit/field.h"

/* R(name, offset, width in bytes, section, what it is); page 1 is at 64 KiB. */
// clang-format off
#define SMMU3_REGISTERS(R)                                                                         \
    R(IDR0, 0x00000, 4, "6.3.1", "features 0")                                                     \
    R(IDR1, 0x00004, 4, "6.3.2", "features 1: sizes")                                              \
    R(IDR3, 0x0000c, 4, "6.3.4", "features 3")                                                     \
    R(IDR5, 0x00014, 4, "6.3.6", "features 5: addresses and granules")                             \
    R(IIDR, 0x00018, 4, "6.3.7", "implementer and product")                                        \
    R(AIDR, 0x0001c, 4, "6.3.8", "architecture version")                                           \
    R(CR0, 0x00020, 4, "6.3.9", "control 0: enables")                                              \
    R(CR0ACK, 0x00024, 4, "6.3.10", "control 0, as it has taken effect")                           \
    R(CR1, 0x00028, 4, "6.3.11", "control 1: how tables and queues are read")                      \
    R(CR2, 0x0002c, 4, "6.3.12", "control 2")                                                      \
    R(GBPA, 0x00044, 4, "6.3.14", "what is done with accesses while translation is off")           \
    R(IRQ_CTRL, 0x00050, 4, "6.3.16", "interrupt enables")                                         \
    R(IRQ_CTRLACK, 0x00054, 4, "6.3.17", "interrupt enables, as they have taken effect")           \
    R(GERROR, 0x00060, 4, "6.3.18", "global errors, toggled by the unit")                          \
    R(GERRORN, 0x00064, 4, "6.3.19", "global errors that were acknowledged")                       \
    R(GERROR_IRQ_CFG0, 0x00068, 8, "6.3.20", "error interrupt address")                            \
    R(GERROR_IRQ_CFG1, 0x00070, 4, "6.3.21", "error interrupt data")                               \
    R(GERROR_IRQ_CFG2, 0x00074, 4, "6.3.22", "error interrupt attributes")                         \
    R(STRTAB_BASE, 0x00080, 8, "6.3.23", "stream table base")                                      \
    R(STRTAB_BASE_CFG, 0x00088, 4, "6.3.24", "stream table format and size")                       \
    R(CMDQ_BASE, 0x00090, 8, "6.3.25", "command queue base")                                       \
    R(CMDQ_PROD, 0x00098, 4, "6.3.26", "command queue producer")                                   \
    R(CMDQ_CONS, 0x0009c, 4, "6.3.27", "command queue consumer")                                   \
    R(EVENTQ_BASE, 0x000a0, 8, "6.3.28", "event queue base")                                       \
    R(EVENTQ_IRQ_CFG0, 0x000b0, 8, "6.3.31", "event interrupt address")                            \
    R(EVENTQ_IRQ_CFG1, 0x000b8, 4, "6.3.32", "event interrupt data")                               \
    R(EVENTQ_IRQ_CFG2, 0x000bc, 4, "6.3.33", "event interrupt attributes")                         \
    R(PRIQ_BASE, 0x000c0, 8, "6.3.34", "page request queue base")                                  \
    R(PRIQ_IRQ_CFG0, 0x000d0, 8, "6.3.37", "page request interrupt address")                       \
    R(PRIQ_IRQ_CFG1, 0x000d8, 4, "6.3.38", "page request interrupt data")                          \
    R(PRIQ_IRQ_CFG2, 0x000dc, 4, "6.3.39", "page request interrupt attributes")                    \
    R(EVENTQ_PROD, 0x100a8, 4, "6.3.29", "event queue producer")                                   \
    R(EVENTQ_CONS, 0x100ac, 4, "6.3.30", "event queue consumer")                                   \
    R(PRIQ_PROD, 0x100c8, 4, "6.3.35", "page request queue producer")                              \
    R(PRIQ_CONS, 0x100cc, 4, "6.3.36", "page request queue consumer")

/* F(where, name, high bit, low bit, words); the last digit of a structure's name is its word. */
#define SMMU3_FIELDS(F)                                                                            \
    F(IDR0, S2P, 0, 0, "stage 2")                                                                  \
    F(IDR0, S1P, 1, 1, "stage 1")                                                                  \
    F(IDR0, TTF, 3, 2, "table formats: bit 0 AArch32, bit 1 AArch64")                              \
    F(IDR0, COHACC, 4, 4, "tables and queues are read with snooping")                              \
    F(IDR0, BTM, 5, 5, "takes part in broadcast TLB maintenance")                                  \
    F(IDR0, HTTU, 7, 6, "writes access flags (1), and dirty state (2)")                            \
    F(IDR0, HYP, 9, 9, "EL2 contexts")                                                             \
    F(IDR0, ATS, 10, 10, "ATS")                                                                    \
    F(IDR0, ASID16, 12, 12, "16-bit ASIDs")                                                        \
    F(IDR0, MSI, 13, 13, "interrupts by message")                                                  \
    F(IDR0, SEV, 14, 14, "events to waiting CPUs")                                                 \
    F(IDR0, PRI, 16, 16, "page requests")                                                          \
    F(IDR0, VMID16, 18, 18, "16-bit VMIDs")                                                        \
    F(IDR0, CD2L, 19, 19, "two-level context descriptor tables")                                   \
    F(IDR0, TTENDIAN, 22, 21, "table byte order: 0 both, 2 little, 3 big")                         \
    F(IDR0, STALL_MODEL, 25, 24, "0 stall or terminate, 1 terminate only, 2 stall only")           \
    F(IDR0, TERM_MODEL, 26, 26, "terminated accesses are always aborted")                          \
    F(IDR0, ST_LEVEL, 28, 27, "1: two-level stream tables")                                        \
    F(IDR1, SIDSIZE, 5, 0, "stream ID bits")                                                       \
    F(IDR1, SSIDSIZE, 10, 6, "substream ID bits")                                                  \
    F(IDR1, PRIQS, 15, 11, "page request queue, log2 of entries")                                  \
    F(IDR1, EVENTQS, 20, 16, "event queue, log2 of entries")                                       \
    F(IDR1, CMDQS, 25, 21, "command queue, log2 of entries")                                       \
    F(IDR1, REL, 28, 28, "preset bases are relative")                                              \
    F(IDR1, QUEUES_PRESET, 29, 29, "queue bases are fixed")                                        \
    F(IDR1, TABLES_PRESET, 30, 30, "table bases are fixed")                                        \
    F(IDR3, HAD, 2, 2, "hierarchical attributes can be disabled")                                  \
    F(IDR3, XNX, 4, 4, "stage 2 execute permissions by privilege")                                 \
    F(IDR3, FWB, 8, 8, "stage 2 can force write-back")                                             \
    F(IDR3, RIL, 10, 10, "invalidation by range")                                                  \
    F(IDR3, BBML, 12, 11, "1: the contiguous hint changes live, 2: sizes too")                        \
    F(IDR5, OAS, 2, 0, "output addresses: 32, 36, 40, 42, 44, 48, 52 bits")                        \
    F(IDR5, GRAN4K, 4, 4, "4 KiB pages")                                                           \
    F(IDR5, GRAN16K, 5, 5, "16 KiB pages")                                                         \
    F(IDR5, GRAN64K, 6, 6, "64 KiB pages")                                                         \
    F(IDR5, VAX, 11, 10, "52-bit virtual addresses")                                               \
    F(IDR5, STALL_MAX, 31, 16, "most stalled accesses")                                            \
    F(IIDR, IMPLEMENTER, 11, 0, "JEP106 code")                                                     \
    F(IIDR, REVISION, 15, 12, "minor revision")                                                    \
    F(IIDR, VARIANT, 19, 16, "major revision")                                                     \
    F(IIDR, PRODUCT, 31, 20, "product")                                                            \
    F(CR0, SMMUEN, 0, 0, "translation on")                                                         \
    F(CR0, PRIQEN, 1, 1, "page request queue on")                                                  \
    F(CR0, EVENTQEN, 2, 2, "event queue on")                                                       \
    F(CR0, CMDQEN, 3, 3, "command queue on")                                                       \
    F(CR0, ATSCHK, 4, 4, "translated requests are checked against the stream's entry")             \
    F(CR1, QUEUE_IC, 1, 0, "queues: inner cacheability, 1 write-back")                             \
    F(CR1, QUEUE_OC, 3, 2, "queues: outer cacheability")                                           \
    F(CR1, QUEUE_SH, 5, 4, "queues: shareability, 2 outer, 3 inner")                               \
    F(CR1, TABLE_IC, 7, 6, "tables: inner cacheability")                                           \
    F(CR1, TABLE_OC, 9, 8, "tables: outer cacheability")                                           \
    F(CR1, TABLE_SH, 11, 10, "tables: shareability")                                               \
    F(CR2, E2H, 0, 0, "EL2 contexts have ASIDs")                                                   \
    F(CR2, RECINVSID, 1, 1, "stream IDs beyond the table are recorded")                            \
    F(CR2, PTM, 2, 2, "ignores broadcast TLB maintenance")                                         \
    F(GBPA, ABORT, 20, 20, "accesses are aborted")                                                 \
    F(GBPA, UPDATE, 31, 31, "a write has not taken effect yet")                                    \
    F(IRQ_CTRL, GERROR, 0, 0, "errors interrupt")                                                  \
    F(IRQ_CTRL, PRIQ, 1, 1, "page requests interrupt")                                             \
    F(IRQ_CTRL, EVENTQ, 2, 2, "events interrupt")                                                  \
    F(GERROR, CMDQ, 0, 0, "a command was refused")                                                 \
    F(GERROR, EVENTQ_ABT, 2, 2, "an event could not be written")                                   \
    F(GERROR, PRIQ_ABT, 3, 3, "a page request could not be written")                               \
    F(GERROR, MSI_CMDQ_ABT, 4, 4, "a command queue message could not be written")                  \
    F(GERROR, MSI_EVENTQ_ABT, 5, 5, "an event queue message could not be written")                 \
    F(GERROR, MSI_PRIQ_ABT, 6, 6, "a page request message could not be written")                   \
    F(GERROR, MSI_GERROR_ABT, 7, 7, "an error message could not be written")                       \
    F(GERROR, SFM, 8, 8, "service failure mode: nothing is translated any more")                   \
    F(STRTAB_BASE, ADDR, 51, 6, "64-byte units")                                                   \
    F(STRTAB_BASE, RA, 62, 62, "read-allocate")                                                    \
    F(STRTAB_BASE_CFG, LOG2SIZE, 5, 0, "stream ID bits")                                           \
    F(STRTAB_BASE_CFG, SPLIT, 10, 6, "stream ID bits of the second level")                         \
    F(STRTAB_BASE_CFG, FMT, 17, 16, "0 linear, 1 two levels")                                      \
    F(QUEUE_BASE, LOG2SIZE, 4, 0, "log2 of entries")                                               \
    F(QUEUE_BASE, ADDR, 51, 5, "32-byte units")                                                    \
    F(QUEUE_BASE, ALLOCATE, 62, 62, "allocate in caches")                                          \
    F(CMDQ_CONS, ERR, 30, 24, "why the command was refused")                                       \
    F(QUEUE, OVERFLOW, 31, 31, "of PROD: entries were lost; of CONS: that is known")               \
    F(L1STD, SPAN, 4, 0, "second-level stream IDs: 2^(n - 1); 0: no table")                        \
    F(L1STD, ADDR, 51, 6, "second-level table")                                                    \
    F(STE0, V, 0, 0, "valid")                                                                      \
    F(STE0, CONFIG, 3, 1, "0 abort, 4 bypass, 5 stage 1, 6 stage 2, 7 both")                       \
    F(STE0, S1FMT, 5, 4, "context descriptors: 0 one level, 1 leaves of 4 KiB, 2 of 64 KiB")       \
    F(STE0, S1CONTEXT, 51, 6, "context descriptors")                                               \
    F(STE0, S1CDMAX, 63, 59, "log2 of context descriptors")                                        \
    F(STE1, S1DSS, 1, 0, "without a substream: 0 refused, 1 bypass, 2 descriptor 0")               \
    F(STE1, S1CIR, 3, 2, "context descriptors: inner cacheability")                                \
    F(STE1, S1COR, 5, 4, "context descriptors: outer cacheability")                                \
    F(STE1, S1CSH, 7, 6, "context descriptors: shareability")                                      \
    F(STE1, S1STALLD, 27, 27, "stage 1 may not stall")                                             \
    F(STE1, EATS, 29, 28, "1: ATS")                                                                \
    F(STE1, SHCFG, 45, 44, "1: shareability as it comes in")                                       \
    F(STE2, S2VMID, 15, 0, "VMID")                                                                 \
    F(STE2, S2T0SZ, 37, 32, "64 minus input address bits")                                         \
    F(STE2, S2SL0, 39, 38, "level of the root")                                                    \
    F(STE2, S2IR0, 41, 40, "walks: inner cacheability")                                            \
    F(STE2, S2OR0, 43, 42, "walks: outer cacheability")                                            \
    F(STE2, S2SH0, 45, 44, "walks: shareability")                                                  \
    F(STE2, S2TG, 47, 46, "0 4 KiB, 1 64 KiB, 2 16 KiB")                                           \
    F(STE2, S2PS, 50, 48, "output address bits, as IDR5.OAS")                                      \
    F(STE2, S2AA64, 51, 51, "64-bit tables")                                                       \
    F(STE2, S2PTW, 54, 54, "stage 1 tables may not be in device memory")                           \
    F(STE2, S2HD, 55, 55, "writes dirty state")                                                    \
    F(STE2, S2HA, 56, 56, "writes access flags")                                                   \
    F(STE2, S2S, 57, 57, "faults stall")                                                           \
    F(STE2, S2R, 58, 58, "faults are recorded")                                                    \
    F(STE3, S2TTB, 51, 4, "root")                                                                  \
    F(CD0, T0SZ, 5, 0, "64 minus input address bits")                                              \
    F(CD0, TG0, 7, 6, "0 4 KiB, 1 64 KiB, 2 16 KiB")                                               \
    F(CD0, IR0, 9, 8, "walks: inner cacheability")                                                 \
    F(CD0, OR0, 11, 10, "walks: outer cacheability")                                               \
    F(CD0, SH0, 13, 12, "walks: shareability")                                                     \
    F(CD0, EPD1, 30, 30, "no upper half")                                                          \
    F(CD0, V, 31, 31, "valid")                                                                     \
    F(CD0, IPS, 34, 32, "output address bits, as IDR5.OAS")                                        \
    F(CD0, AA64, 41, 41, "64-bit tables")                                                          \
    F(CD0, HD, 42, 42, "writes dirty state")                                                       \
    F(CD0, HA, 43, 43, "writes access flags")                                                      \
    F(CD0, S, 44, 44, "faults stall")                                                              \
    F(CD0, R, 45, 45, "faults are recorded")                                                       \
    F(CD0, A, 46, 46, "terminated accesses are aborted")                                           \
    F(CD0, ASET, 47, 47, "the ASID is not one of the CPUs'")                                       \
    F(CD0, ASID, 63, 48, "ASID")                                                                   \
    F(CD1, TTB0, 51, 4, "root")                                                                    \
    F(L1CD, V, 0, 0, "valid")                                                                      \
    F(L1CD, ADDR, 51, 12, "second-level table")                                                    \
    F(EVENT0, TYPE, 7, 0, "type")                                                                  \
    F(EVENT0, SSV, 11, 11, "the substream ID is valid")                                            \
    F(EVENT0, SSID, 31, 12, "substream ID")                                                        \
    F(EVENT0, SID, 63, 32, "stream ID")                                                            \
    F(EVENT1, STAG, 15, 0, "names the stalled access")                                             \
    F(EVENT1, STALL, 31, 31, "the access waits for an answer")                                     \
    F(EVENT1, PNU, 33, 33, "privileged")                                                           \
    F(EVENT1, IND, 34, 34, "instruction fetch")                                                    \
    F(EVENT1, RNW, 35, 35, "read")                                                                 \
    F(EVENT1, S2, 39, 39, "stage 2 faulted")                                                       \
    F(EVENT1, CLASS, 41, 40, "0 CD, 1 table walk, 2 the access itself")                            \
    F(EVENT3, IPA, 55, 12, "stage 2 faulted: address it was asked for")                            \
    F(PRI0, SID, 31, 0, "stream ID")                                                               \
    F(PRI0, SSID, 51, 32, "substream ID")                                                          \
    F(PRI0, LAST, 62, 62, "last of its group")                                                     \
    F(PRI0, SSV, 63, 63, "the substream ID is valid")                                              \
    F(PRI1, PRGI, 8, 0, "page request group")
// clang-format on

enum smmu3_register {
#define R(name, offset, width, section, text) SMMU3_REG_##name = (offset),
    SMMU3_REGISTERS(R)
#undef R
};

enum {
#define F(where, name, high, low, text) SMMU3_LOW_##where##_##name = (low),
    SMMU3_FIELDS(F)
#undef F
};

enum {
#define F(where, name, high, low, text) SMMU3_HIGH_##where##_##name = (high),
    SMMU3_FIELDS(F)
#undef F
};

#define SMMU3_MASK(field) UNIT_BITS(SMMU3_HIGH_##field, SMMU3_LOW_##field)
#define SMMU3_GET(field, value)                                                                    \
    ((uint64_t)((value)&SMMU3_MASK(field)) >> (unsigned)SMMU3_LOW_##field)
#define SMMU3_PREP(field, value)                                                                   \
    (((uint64_t)(value) << (unsigned)SMMU3_LOW_##field) & SMMU3_MASK(field))

extern const struct unit_field smmu3_fields[];
extern const size_t smmu3_field_count;
extern const struct unit_register smmu3_registers[];
extern const size_t smmu3_register_count;

#endif
