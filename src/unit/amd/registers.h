// SPDX-License-Identifier: MIT
/*
 * AMD-Vi registers and structures, each field described once: name, place, words. The lists below
 * yield the offsets and masks that are programmed with and, in registers.c, the rows that reports
 * decode values with.
 *
 * Section numbers are of the AMD I/O Virtualization Technology Specification, revision 3.08.
 */
#ifndef SLUICE_UNIT_AMD_REGISTERS_H
#define SLUICE_UNIT_AMD_REGISTERS_H

#include "unit/field.h"

/* R(name, offset, width in bytes, section, what it is) */
// clang-format off
#define AMDVI_REGISTERS(R)                                                                         \
    R(DEVTAB, 0x0000, 8, "3.4", "device table base")                                             \
    R(CMDBUF, 0x0008, 8, "3.4", "command buffer base")                                           \
    R(EVTLOG, 0x0010, 8, "3.4", "event log base")                                                \
    R(CONTROL, 0x0018, 8, "3.4", "control")                                                      \
    R(EXCL_BASE, 0x0020, 8, "3.4", "exclusion range base")                                       \
    R(EXCL_LIMIT, 0x0028, 8, "3.4", "exclusion range limit")                                     \
    R(EFR, 0x0030, 8, "3.4", "extended features")                                                \
    R(PPRLOG, 0x0038, 8, "3.4", "page request log base")                                         \
    R(EVTLOG_B, 0x00f8, 8, "3.4", "event log B base")                                            \
    R(SEGMENT1, 0x0100, 8, "3.4", "device table segment 1 base; to segment 7 at 0130h")          \
    R(CMDBUF_HEAD, 0x2000, 8, "3.4", "command buffer head")                                     \
    R(CMDBUF_TAIL, 0x2008, 8, "3.4", "command buffer tail")                                     \
    R(EVTLOG_HEAD, 0x2010, 8, "3.4", "event log head")                                          \
    R(EVTLOG_TAIL, 0x2018, 8, "3.4", "event log tail")                                          \
    R(STATUS, 0x2020, 8, "3.4", "status")                                                       \
    R(PPRLOG_HEAD, 0x2030, 8, "3.4", "page request log head")                                   \
    R(PPRLOG_TAIL, 0x2038, 8, "3.4", "page request log tail")                                   \
    R(EVTLOG_B_HEAD, 0x2070, 8, "3.4", "event log B head")                                      \
    R(EVTLOG_B_TAIL, 0x2078, 8, "3.4", "event log B tail")                                      \
    R(EFR2, 0x01a0, 8, "3.4", "extended features 2")

/* F(where, name, high bit, low bit, words) */
#define AMDVI_FIELDS(F)                                                                            \
    F(DEVTAB, SIZE, 8, 0, "4 KiB pages, minus 1")                                                  \
    F(DEVTAB, BASE, 51, 12, "4 KiB units")                                                         \
    F(RING, BASE, 51, 12, "command buffer or log, 4 KiB units")                                    \
    F(RING, LEN, 59, 56, "log2 of its entries")                                                    \
    F(CONTROL, EN, 0, 0, "translation and event logging of devices on")                            \
    F(CONTROL, HTTUN, 1, 1, "HyperTransport tunnel translation")                                   \
    F(CONTROL, EVTLOG, 2, 2, "event log on")                                                       \
    F(CONTROL, EVTINT, 3, 3, "event log interrupt on")                                             \
    F(CONTROL, COMWAITINT, 4, 4, "completion wait interrupt on")                                   \
    F(CONTROL, INVTO, 7, 5, "time-out of device-TLB invalidations")                                \
    F(CONTROL, PASSPW, 8, 8, "pass posted writes")                                                 \
    F(CONTROL, RESPASSPW, 9, 9, "responses pass posted writes")                                    \
    F(CONTROL, COHERENT, 10, 10, "device table reads snoop")                                       \
    F(CONTROL, ISOC, 11, 11, "table walks are isochronous")                                        \
    F(CONTROL, CMDBUF, 12, 12, "command buffer on")                                                \
    F(CONTROL, PPRLOG, 13, 13, "page request log on")                                              \
    F(CONTROL, PPRINT, 14, 14, "page request interrupt on")                                        \
    F(CONTROL, PPR, 15, 15, "page requests on")                                                    \
    F(CONTROL, GT, 16, 16, "guest translation on")                                                 \
    F(CONTROL, GA, 17, 17, "guest virtual APIC on: 128-bit interrupt entries")                     \
    F(CONTROL, GAM, 27, 25, "guest virtual APIC mode")                                             \
    F(CONTROL, GALOG, 28, 28, "guest virtual APIC log on")                                         \
    F(CONTROL, GAINT, 29, 29, "guest virtual APIC log interrupt on")                               \
    F(CONTROL, DUALEVT, 33, 32, "event logs: 0 A, 1 B, 2 goes on in the other when one is full")   \
    F(CONTROL, DEVTABSEG, 36, 34, "log2 of device table segments")                                 \
    F(CONTROL, NUMINT, 44, 43, "interrupt entries a table: 0 512, 1 2048")                         \
    F(CONTROL, XT, 50, 50, "interrupt destinations of 32 bits")                                    \
    F(EXCL, EN, 0, 0, "exclusion range on")                                                        \
    F(EXCL, ALLOW, 1, 1, "for every device")                                                       \
    F(EXCL, BASE, 51, 12, "4 KiB units")                                                           \
    F(CAP, TYPE, 18, 16, "3 for an IOMMU")                                                         \
    F(CAP, IOTLBSUP, 24, 24, "knows device TLBs")                                                  \
    F(CAP, HTTUNNEL, 25, 25, "HyperTransport tunnel")                                              \
    F(CAP, NPCACHE, 26, 26, "caches entries that are not present")                                 \
    F(CAP, EFRSUP, 27, 27, "extended feature register")                                            \
    F(EFR, PREFSUP, 0, 0, "prefetch command")                                                      \
    F(EFR, PPRSUP, 1, 1, "page requests")                                                          \
    F(EFR, XTSUP, 2, 2, "x2APIC destinations")                                                     \
    F(EFR, NXSUP, 3, 3, "no-execute in guest tables")                                              \
    F(EFR, GTSUP, 4, 4, "guest translation")                                                       \
    F(EFR, IASUP, 6, 6, "INVALIDATE_IOMMU_ALL")                                                    \
    F(EFR, GASUP, 7, 7, "guest virtual APIC")                                                      \
    F(EFR, HESUP, 8, 8, "hardware error registers")                                                \
    F(EFR, PCSUP, 9, 9, "performance counters")                                                    \
    F(EFR, HATS, 11, 10, "host table levels: 4 + n; 3 reserved")                                   \
    F(EFR, GATS, 13, 12, "guest table levels: 4 + n; 3 reserved")                                  \
    F(EFR, GAMSUP, 23, 21, "guest virtual APIC modes")                                             \
    F(EFR, DUALEVT, 29, 28, "second event log; 2: changed over to by itself")                      \
    F(EFR, PASMAX, 36, 32, "PASID bits, minus 1")                                                  \
    F(EFR, DEVTBLSEG, 39, 38, "log2 of device table segments")                                     \
    F(EFR, SNPSUP, 63, 63, "secure nested paging")                                                 \
    F(EFR2, NUMINT, 9, 8, "interrupt entries a table: 0 512, 1 2048")                              \
    F(STATUS, EVTOVERFLOW, 0, 0, "events were lost")                                               \
    F(STATUS, EVTINT, 1, 1, "an event was logged")                                                 \
    F(STATUS, COMWAITINT, 2, 2, "a completion wait was done")                                      \
    F(STATUS, EVTRUN, 3, 3, "event log runs")                                                      \
    F(STATUS, CMDRUN, 4, 4, "command buffer runs")                                                 \
    F(STATUS, PPROVERFLOW, 5, 5, "page requests were lost")                                        \
    F(STATUS, PPRINT, 6, 6, "a page request was logged")                                           \
    F(STATUS, PPRRUN, 7, 7, "page request log runs")                                               \
    F(STATUS, EVTOVERFLOWB, 15, 15, "event log B was full")                                        \
    F(STATUS, EVTACTIVE, 16, 16, "event log B is written")                                         \
    F(POINTER, INDEX, 18, 4, "head or tail of a ring, 16-byte units")                               \
    F(DTE0, V, 0, 0, "words 0 and 1 are valid; clear: devices pass untranslated")                  \
    F(DTE0, TV, 1, 1, "translation fields are valid")                                              \
    F(DTE0, MODE, 11, 9, "levels; 0: addresses pass")                                              \
    F(DTE0, ROOT, 51, 12, "host tables, 4 KiB units")                                              \
    F(DTE0, PPR, 52, 52, "page requests")                                                          \
    F(DTE0, GIOV, 54, 54, "no PASID is PASID 0")                                                   \
    F(DTE0, GV, 55, 55, "guest tables are valid")                                                  \
    F(DTE0, GLX, 57, 56, "levels of the table by PASID, minus 1")                                  \
    F(DTE0, GCR3, 60, 58, "table by PASID, address bits 14:12")                                    \
    F(DTE0, IR, 61, 61, "may read")                                                                \
    F(DTE0, IW, 62, 62, "may write")                                                               \
    F(DTE1, DOMAIN, 15, 0, "domain")                                                               \
    F(DTE1, GCR3LOW, 31, 16, "table by PASID, address bits 30:15")                                 \
    F(DTE1, I, 32, 32, "device TLB allowed")                                                       \
    F(DTE1, SE, 33, 33, "one page fault event for several")                                        \
    F(DTE1, SA, 34, 34, "no page fault events")                                                    \
    F(DTE1, IOCTL, 36, 35, "port I/O")                                                             \
    F(DTE1, CACHE, 37, 37, "do not cache the entry's page tables")                                 \
    F(DTE1, SD, 38, 38, "no snooping of table walks")                                              \
    F(DTE1, EX, 39, 39, "exclusion range applies")                                                 \
    F(DTE1, SYSMGT, 41, 40, "system management messages")                                          \
    F(DTE1, GCR3HIGH, 63, 43, "table by PASID, address bits 51:31")                                \
    F(DTE2, IV, 0, 0, "interrupt fields are valid; clear: interrupts pass")                        \
    F(DTE2, INTTABLEN, 4, 1, "log2 of interrupt entries")                                          \
    F(DTE2, IG, 5, 5, "no interrupt events")                                                       \
    F(DTE2, INTROOT, 51, 6, "interrupt table, 64-byte units")                                      \
    F(DTE2, GPM, 55, 54, "guest table levels, minus 4")                                            \
    F(DTE2, INITPASS, 56, 56, "INIT passes")                                                       \
    F(DTE2, EINTPASS, 57, 57, "ExtInt passes")                                                     \
    F(DTE2, NMIPASS, 58, 58, "NMI passes")                                                         \
    F(DTE2, INTCTL, 61, 60, "fixed interrupts: 0 abort, 1 pass, 2 remap")                          \
    F(DTE2, LINT0PASS, 62, 62, "LINT0 passes")                                                     \
    F(DTE2, LINT1PASS, 63, 63, "LINT1 passes")                                                     \
    F(IRTE, REMAPEN, 0, 0, "delivers")                                                             \
    F(IRTE, SUPIOPF, 1, 1, "no event when it refuses")                                             \
    F(IRTE, INTTYPE, 4, 2, "0 fixed, 1 arbitrated")                                                \
    F(IRTE, RQEOI, 5, 5, "end of interrupt is asked for")                                          \
    F(IRTE, DM, 6, 6, "logical destination")                                                       \
    F(IRTE, DESTINATION, 15, 8, "APIC ID")                                                         \
    F(IRTE, VECTOR, 23, 16, "vector")                                                              \
    F(IRTE0, REMAPEN, 0, 0, "delivers")                                                            \
    F(IRTE0, SUPIOPF, 1, 1, "no event when it refuses")                                            \
    F(IRTE0, INTTYPE, 4, 2, "0 fixed, 1 arbitrated")                                               \
    F(IRTE0, RQEOI, 5, 5, "end of interrupt is asked for")                                         \
    F(IRTE0, DM, 6, 6, "logical destination")                                                      \
    F(IRTE0, GUESTMODE, 7, 7, "clear: to a CPU")                                                   \
    F(IRTE0, DESTINATION, 31, 8, "APIC ID, bits 23:0")                                             \
    F(IRTE1, VECTOR, 7, 0, "vector")                                                               \
    F(IRTE1, DESTINATION, 63, 56, "APIC ID, bits 31:24")                                           \
    F(GUEST_IRTE0, REMAPEN, 0, 0, "delivers")                                                      \
    F(GUEST_IRTE0, SUPIOPF, 1, 1, "no event when it refuses")                                      \
    F(GUEST_IRTE0, GALOGINTR, 2, 2, "logged while the virtual CPU does not run")                   \
    F(GUEST_IRTE0, ISRUN, 6, 6, "the virtual CPU runs")                                            \
    F(GUEST_IRTE0, GUESTMODE, 7, 7, "set: to a guest's virtual APIC")                              \
    F(GUEST_IRTE0, DESTINATION, 31, 8, "APIC ID, bits 23:0")                                       \
    F(GUEST_IRTE0, GATAG, 63, 32, "tag in the log")                                                \
    F(GUEST_IRTE1, VECTOR, 7, 0, "vector")                                                         \
    F(GUEST_IRTE1, GAROOT, 51, 12, "virtual APIC page, 4 KiB units")                               \
    F(GUEST_IRTE1, DESTINATION, 63, 56, "APIC ID, bits 31:24")                                     \
    F(GCR3, V, 0, 0, "valid")                                                                      \
    F(GCR3, ROOT, 51, 12, "next table, or root of guest tables, 4 KiB units")                      \
    F(PPR0, DEVICE, 15, 0, "device")                                                               \
    F(PPR0, PASIDLOW, 31, 16, "PASID, bits 15:0")                                                  \
    F(PPR0, GROUP, 40, 32, "group")                                                                \
    F(PPR0, LAST, 41, 41, "last of its group")                                                     \
    F(PPR0, PASIDHIGH, 45, 42, "PASID, bits 19:16")                                                \
    F(PPR0, EXECUTE, 49, 49, "to execute")                                                         \
    F(PPR0, READ, 50, 50, "to read")                                                               \
    F(PPR0, WRITE, 53, 53, "to write")                                                             \
    F(PPR0, USER, 54, 54, "without privilege")                                                     \
    F(PPR0, RZ, 55, 55, "malformed")                                                               \
    F(PPR0, GN, 56, 56, "has a PASID")                                                             \
    F(PPR0, CODE, 63, 60, "kind of entry; 1 a page request")                                       \
    F(PPR1, ADDRESS, 63, 12, "4 KiB units")                                                        \
    F(COMMAND, OPCODE, 63, 60, "opcode")                                                           \
    F(EVENT0, DEVICE, 15, 0, "device")                                                             \
    F(EVENT0, DOMAIN, 47, 32, "domain")                                                            \
    F(EVENT0, GN, 48, 48, "guest address, with PASID")                                             \
    F(EVENT0, NX, 49, 49, "no-execute")                                                            \
    F(EVENT0, US, 50, 50, "user")                                                                  \
    F(EVENT0, I, 51, 51, "interrupt")                                                              \
    F(EVENT0, PR, 52, 52, "entry was present")                                                     \
    F(EVENT0, RW, 53, 53, "write")                                                                 \
    F(EVENT0, PE, 54, 54, "no permission")                                                         \
    F(EVENT0, RZ, 55, 55, "reserved bits set, or an illegal level")                                \
    F(EVENT0, TR, 56, 56, "translation request")                                                   \
    F(EVENT0, CODE, 63, 60, "event")
// clang-format on

enum amdvi_register {
#define R(name, offset, width, section, text) AMDVI_REG_##name = (offset),
    AMDVI_REGISTERS(R)
#undef R
};

enum amdvi_field_bits {
#define F(where, name, high, low, text)                                                            \
    AMDVI_##where##_##name##_HIGH = (high), AMDVI_##where##_##name##_LOW = (low),
    AMDVI_FIELDS(F)
#undef F
};

/** Mask of a field, named as AMDVI_MASK(EFR_HATS). */
#define AMDVI_MASK(field) UNIT_BITS(AMDVI_##field##_HIGH, AMDVI_##field##_LOW)
/** Value of a field in `word`. */
#define AMDVI_GET(field, word) (((uint64_t)(word)&AMDVI_MASK(field)) >> AMDVI_##field##_LOW)
/** A word with only this field set to `value`. */
#define AMDVI_PREP(field, value) (((uint64_t)(value) << AMDVI_##field##_LOW) & AMDVI_MASK(field))

extern const struct unit_field amdvi_fields[];
extern const size_t amdvi_field_count;
extern const struct unit_register amdvi_registers[];
extern const size_t amdvi_register_count;

/** unit_field_decode over these rows. */
size_t amdvi_decode(const char *where, uint64_t value, char *buffer, size_t bytes);

#endif
