// SPDX-License-Identifier: MIT
/*
 * VT-d registers and table entries, each described once: name, place, section, words. The lists
 * below yield the offsets and masks that the driver uses and, in registers.c, the tables that
 * reports decode values with.
 *
 * Section numbers are of the VT-d specification, revision 5.10.
 */
#ifndef SLUICE_UNIT_INTEL_REGISTERS_H
#define SLUICE_UNIT_INTEL_REGISTERS_H

#include "unit/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* R(name, offset, width in bytes, section, what it is) */
// clang-format off
#define VTD_REGISTERS(R)                                                                           \
    R(VER, 0x000, 4, "11.4.1", "architecture version")                                             \
    R(CAP, 0x008, 8, "11.4.2", "capabilities")                                                     \
    R(ECAP, 0x010, 8, "11.4.3", "extended capabilities")                                           \
    R(GCMD, 0x018, 4, "11.4.4.1", "global command")                                                \
    R(GSTS, 0x01c, 4, "11.4.4.2", "global status")                                                 \
    R(RTADDR, 0x020, 8, "11.4.5", "root table address")                                            \
    R(CCMD, 0x028, 8, "11.4.6.1", "context command")                                               \
    R(FSTS, 0x034, 4, "11.4.7.1", "fault status")                                                  \
    R(FECTL, 0x038, 4, "11.4.7.2", "fault event control")                                          \
    R(FEDATA, 0x03c, 4, "11.4.7.3", "fault event data")                                            \
    R(FEADDR, 0x040, 4, "11.4.7.4", "fault event address")                                         \
    R(FEUADDR, 0x044, 4, "11.4.7.5", "fault event upper address")                                  \
    R(PMEN, 0x064, 4, "11.4.8.1", "protected memory enable")                                       \
    R(IQH, 0x080, 8, "11.4.9.1", "invalidation queue head")                                        \
    R(IQT, 0x088, 8, "11.4.9.2", "invalidation queue tail")                                        \
    R(IQA, 0x090, 8, "11.4.9.3", "invalidation queue address")                                     \
    R(IECTL, 0x0a0, 4, "11.4.9.5", "invalidation event control")                                   \
    R(IQERCD, 0x0b0, 8, "11.4.9.9", "invalidation queue error record")                             \
    R(IRTA, 0x0b8, 8, "11.4.10", "interrupt table address")

/* F(where, name, high bit, low bit, words) */
#define VTD_FIELDS(F)                                                                              \
    F(VER, MIN, 3, 0, "minor version")                                                             \
    F(VER, MAX, 7, 4, "major version")                                                             \
    F(CAP, ND, 2, 0, "domain IDs: 2^(4 + 2n)")                                                     \
    F(CAP, AFL, 3, 3, "advanced fault logging")                                                    \
    F(CAP, RWBF, 4, 4, "write buffers must be flushed")                                            \
    F(CAP, PLMR, 5, 5, "protected low memory region")                                              \
    F(CAP, PHMR, 6, 6, "protected high memory region")                                             \
    F(CAP, CM, 7, 7, "caching mode: not-present entries are cached")                               \
    F(CAP, SAGAW, 12, 8, "second-stage widths: bit 1 39-bit, 2 48-bit, 3 57-bit")                  \
    F(CAP, MGAW, 21, 16, "widest guest address, bits minus 1")                                     \
    F(CAP, ZLR, 22, 22, "zero-length reads of write-only pages")                                   \
    F(CAP, FRO, 33, 24, "fault records at 16n")                                                    \
    F(CAP, SLLPS, 37, 34, "second-stage large pages: bit 0 2 MiB, 1 1 GiB")                        \
    F(CAP, PSI, 39, 39, "page-selective invalidation")                                             \
    F(CAP, NFR, 47, 40, "fault records, minus 1")                                                  \
    F(CAP, MAMV, 53, 48, "largest address mask")                                                   \
    F(CAP, DWD, 54, 54, "drains writes")                                                           \
    F(CAP, DRD, 55, 55, "drains reads")                                                            \
    F(CAP, FS1GP, 56, 56, "first-stage 1 GiB pages")                                               \
    F(CAP, PI, 59, 59, "posted interrupts")                                                        \
    F(CAP, FS5LP, 60, 60, "first-stage 5 levels")                                                  \
    F(CAP, ECMDS, 61, 61, "enhanced commands")                                                     \
    F(CAP, ESIRTPS, 62, 62, "setting the interrupt table invalidates by itself")                   \
    F(CAP, ESRTPS, 63, 63, "setting the root table invalidates by itself")                         \
    F(ECAP, C, 0, 0, "table walks snoop CPU caches")                                               \
    F(ECAP, QI, 1, 1, "queued invalidation")                                                       \
    F(ECAP, DT, 2, 2, "device TLBs")                                                               \
    F(ECAP, IR, 3, 3, "interrupt remapping")                                                       \
    F(ECAP, EIM, 4, 4, "x2APIC destinations")                                                      \
    F(ECAP, PT, 6, 6, "pass-through")                                                              \
    F(ECAP, SC, 7, 7, "snoop control")                                                             \
    F(ECAP, IRO, 17, 8, "IOTLB registers at 16n")                                                  \
    F(ECAP, MHMV, 23, 20, "largest interrupt-entry handle mask")                                   \
    F(ECAP, MTS, 25, 25, "memory types")                                                           \
    F(ECAP, NEST, 26, 26, "nested translation")                                                    \
    F(ECAP, PRS, 29, 29, "page requests")                                                          \
    F(ECAP, ERS, 30, 30, "execute requests")                                                       \
    F(ECAP, SRS, 31, 31, "supervisor requests")                                                    \
    F(ECAP, NWFS, 33, 33, "no-write flag")                                                         \
    F(ECAP, EAFS, 34, 34, "extended accessed flag")                                                \
    F(ECAP, PSS, 39, 35, "PASID bits, minus 1")                                                    \
    F(ECAP, PASID, 40, 40, "PASIDs")                                                               \
    F(ECAP, DIT, 41, 41, "device-TLB invalidation throttle")                                       \
    F(ECAP, PDS, 42, 42, "page-request drain")                                                     \
    F(ECAP, SMTS, 43, 43, "scalable mode")                                                         \
    F(ECAP, VCS, 44, 44, "virtual commands")                                                       \
    F(ECAP, SSADS, 45, 45, "second-stage accessed and dirty flags")                                \
    F(ECAP, SSTS, 46, 46, "second stage in scalable mode")                                         \
    F(ECAP, FSTS, 47, 47, "first stage in scalable mode")                                          \
    F(ECAP, SMPWCS, 48, 48, "scalable-mode walk coherency")                                        \
    F(ECAP, RPS, 49, 49, "RID_PASID")                                                              \
    F(ECAP, PMS, 51, 51, "performance monitoring")                                                 \
    F(ECAP, ADMS, 52, 52, "abort-DMA mode")                                                        \
    F(ECAP, RPRIVS, 53, 53, "RID_PRIV")                                                            \
    F(ECAP, STALLS, 58, 58, "stop marker")                                                         \
    F(GSTS, CFIS, 23, 23, "compatibility interrupts pass")                                         \
    F(GSTS, IRTPS, 24, 24, "interrupt table pointer set")                                          \
    F(GSTS, IRES, 25, 25, "interrupt remapping on")                                                \
    F(GSTS, QIES, 26, 26, "invalidation queue on")                                                 \
    F(GSTS, WBFS, 27, 27, "write buffer flush in progress")                                        \
    F(GSTS, AFLS, 28, 28, "advanced fault logging on")                                             \
    F(GSTS, FLS, 29, 29, "fault log pointer set")                                                  \
    F(GSTS, RTPS, 30, 30, "root table pointer set")                                                \
    F(GSTS, TES, 31, 31, "translation on")                                                         \
    F(RTADDR, TTM, 11, 10, "mode: 0 legacy, 1 scalable, 3 abort")                                  \
    F(RTADDR, RTA, 63, 12, "root table, 4 KiB units")                                              \
    F(CCMD, DID, 15, 0, "domain")                                                                  \
    F(CCMD, SID, 31, 16, "source")                                                                 \
    F(CCMD, FM, 33, 32, "function mask")                                                           \
    F(CCMD, CAIG, 60, 59, "granularity performed")                                                 \
    F(CCMD, CIRG, 62, 61, "granularity: 1 global, 2 domain, 3 device")                             \
    F(CCMD, ICC, 63, 63, "invalidate context cache")                                               \
    F(IOTLB, DID, 47, 32, "domain")                                                                \
    F(IOTLB, DW, 48, 48, "drain writes")                                                           \
    F(IOTLB, DR, 49, 49, "drain reads")                                                            \
    F(IOTLB, IAIG, 58, 57, "granularity performed")                                                \
    F(IOTLB, IIRG, 61, 60, "granularity: 1 global, 2 domain, 3 pages")                             \
    F(IOTLB, IVT, 63, 63, "invalidate IOTLB")                                                      \
    F(IVA, AM, 5, 0, "address mask")                                                               \
    F(IVA, IH, 6, 6, "hint: no table was changed")                                                 \
    F(IVA, ADDR, 63, 12, "page")                                                                   \
    F(FSTS, PFO, 0, 0, "fault overflow")                                                           \
    F(FSTS, PPF, 1, 1, "fault pending")                                                            \
    F(FSTS, IQE, 4, 4, "invalidation queue error")                                                 \
    F(FSTS, ICE, 5, 5, "invalidation completion error")                                            \
    F(FSTS, ITE, 6, 6, "invalidation time-out")                                                    \
    F(FSTS, FRI, 15, 8, "first fault record")                                                      \
    F(FECTL, IP, 30, 30, "interrupt pending")                                                      \
    F(FECTL, IM, 31, 31, "interrupt masked")                                                       \
    F(PMEN, PRS, 0, 0, "protected regions on")                                                     \
    F(PMEN, EPM, 31, 31, "enable protected regions")                                               \
    F(IQA, QS, 2, 0, "size: 2^n pages")                                                            \
    F(IQA, DW, 11, 11, "256-bit descriptors")                                                      \
    F(IQA, IQA, 63, 12, "queue, 4 KiB units")                                                      \
    F(IQERCD, IQEI, 3, 0, "queue error")                                                           \
    F(IQERCD, ITESID, 47, 32, "source that timed out")                                             \
    F(IQERCD, ICESID, 63, 48, "source of the bad completion")                                      \
    F(FRCD_LOW, FI, 63, 12, "page, or interrupt index in 63:48")                                   \
    F(IRTA, S, 3, 0, "entries: 2^(n + 1)")                                                         \
    F(IRTA, EIME, 11, 11, "x2APIC destinations")                                                   \
    F(IRTA, IRTA, 63, 12, "interrupt table, 4 KiB units")                                          \
    F(IRTE_LOW, P, 0, 0, "present")                                                                \
    F(IRTE_LOW, FPD, 1, 1, "faults are not recorded")                                              \
    F(IRTE_LOW, DM, 2, 2, "destination: 0 physical, 1 logical")                                    \
    F(IRTE_LOW, RH, 3, 3, "redirection hint")                                                      \
    F(IRTE_LOW, TM, 4, 4, "trigger: 0 edge, 1 level")                                              \
    F(IRTE_LOW, DLM, 7, 5, "delivery mode: 0 fixed, 1 lowest priority")                            \
    F(IRTE_LOW, URG, 14, 14, "posted: urgent")                                                     \
    F(IRTE_LOW, IM, 15, 15, "mode: 0 remapped, 1 posted")                                          \
    F(IRTE_LOW, V, 23, 16, "vector")                                                               \
    F(IRTE_LOW, DST, 63, 32, "destination; xAPIC IDs in 47:40")                                    \
    F(IRTE_LOW, PDAL, 63, 38, "posted: descriptor, bits 31:6")                                     \
    F(IRTE_HIGH, SID, 15, 0, "source, or first and last bus")                                      \
    F(IRTE_HIGH, SQ, 17, 16, "function bits that are not compared")                                \
    F(IRTE_HIGH, SVT, 19, 18, "check: 0 none, 1 source, 2 bus")                                    \
    F(IRTE_HIGH, PDAH, 63, 32, "posted: descriptor, bits 63:32")                                   \
    F(FRCD_HIGH, SID, 15, 0, "source")                                                             \
    F(FRCD_HIGH, T2, 28, 28, "type, low bit")                                                      \
    F(FRCD_HIGH, PRIV, 29, 29, "privileged")                                                       \
    F(FRCD_HIGH, EXE, 30, 30, "execute")                                                           \
    F(FRCD_HIGH, PP, 31, 31, "PASID present")                                                      \
    F(FRCD_HIGH, FR, 39, 32, "reason")                                                             \
    F(FRCD_HIGH, PV, 59, 40, "PASID")                                                              \
    F(FRCD_HIGH, AT, 61, 60, "address type")                                                       \
    F(FRCD_HIGH, T1, 62, 62, "type, high bit")                                                     \
    F(FRCD_HIGH, F, 63, 63, "fault")                                                               \
    F(ROOT, P, 0, 0, "present")                                                                    \
    F(ROOT, CTP, 63, 12, "context table, 4 KiB units")                                             \
    F(CONTEXT_LOW, P, 0, 0, "present")                                                             \
    F(CONTEXT_LOW, FPD, 1, 1, "faults are not recorded")                                           \
    F(CONTEXT_LOW, TT, 3, 2, "type: 0 untranslated, 1 with device TLB, 2 pass-through")            \
    F(CONTEXT_LOW, SSPTPTR, 63, 12, "second-stage tables, 4 KiB units")                            \
    F(CONTEXT_HIGH, AW, 2, 0, "width: 1 39-bit, 2 48-bit, 3 57-bit")                               \
    F(CONTEXT_HIGH, DID, 23, 8, "domain")
// clang-format on

enum vtd_register {
#define R(name, offset, width, section, text) VTD_REG_##name = (offset),
    VTD_REGISTERS(R)
#undef R
};

enum vtd_field_bits {
#define F(where, name, high, low, text)                                                            \
    VTD_##where##_##name##_HIGH = (high), VTD_##where##_##name##_LOW = (low),
    VTD_FIELDS(F)
#undef F
};

/** Mask of a field, named as VTD_MASK(CAP_ND). */
#define VTD_MASK(field) UNIT_BITS(VTD_##field##_HIGH, VTD_##field##_LOW)
/** Value of a field in `word`. */
#define VTD_GET(field, word) (((uint64_t)(word)&VTD_MASK(field)) >> VTD_##field##_LOW)
/** A word with only this field set to `value`. */
#define VTD_PREP(field, value) (((uint64_t)(value) << VTD_##field##_LOW) & VTD_MASK(field))
/** Mask of a field of a 32-bit register. */
#define VTD_MASK32(field) ((uint32_t)VTD_MASK(field))

/**
 * Bits of GSTS that are written back with each new command: all but the one-shot SRTP, SFL, WBF
 * and SIRTP, which would start again [VT-d 11.4.4.1].
 */
#define VTD_GSTS_LASTING 0x96ffffffu

/** Translation table modes in RTADDR.TTM [VT-d 11.4.5]. */
enum vtd_table_mode {
    VTD_TTM_LEGACY = 0,
    VTD_TTM_SCALABLE = 1,
    VTD_TTM_ABORT = 3,
};

/** CONTEXT_LOW.TT [VT-d 9.3]. */
enum vtd_translation_type {
    VTD_TT_UNTRANSLATED = 0,
    VTD_TT_DEVICE_TLB = 1,
    VTD_TT_PASS_THROUGH = 2,
};

/** Granularity fields of CCMD, IOTLB and descriptors share these values [VT-d 6.5]. */
enum vtd_granularity {
    VTD_GLOBAL = 1,
    VTD_DOMAIN = 2,
    VTD_NARROW = 3, /**< device for contexts, pages for the IOTLB */
};

extern const struct unit_field vtd_fields[];
extern const size_t vtd_field_count;
extern const struct unit_register vtd_register_rows[];
extern const size_t vtd_register_count;

/** unit_field_decode over these rows. */
size_t vtd_decode(const char *where, uint64_t value, char *buffer, size_t bytes);

#endif
