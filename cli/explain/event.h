// SPDX-License-Identifier: MIT
// What one recognised message says: the values of its fields, and the description of message
// formats that yields them. Called by every part of `sluice explain`.
#ifndef SLUICE_CLI_EXPLAIN_EVENT_H
#define SLUICE_CLI_EXPLAIN_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The fields that a pattern may name. Numbers first, then text.
enum field {
    FIELD_DEVICE, // value: segment << 16 | bus << 8 | device << 3 | function
    FIELD_ADDRESS,
    FIELD_REASON, // decimal, or hexadecimal after 0x
    FIELD_INDEX,  // hexadecimal, with or without 0x, as all below where nothing else is said
    FIELD_PASID,
    FIELD_DOMAIN,
    FIELD_FLAGS,
    FIELD_TYPE,
    FIELD_SID,
    FIELD_SSID,
    FIELD_FSR,
    FIELD_FSYNR,
    FIELD_START,
    FIELD_LAST,
    FIELD_HEX,
    FIELD_COUNT_DECIMAL, // decimal
    FIELD_NUMBERS,
    FIELD_ACCESS = FIELD_NUMBERS, // a word
    FIELD_UNIT,                   // a word
    FIELD_NAME,                   // a word
    FIELD_TEXT,                   // the rest of the line
    FIELD_COUNT,
};

struct span {
    const char *text;
    size_t length_bytes;
};

struct fields {
    uint32_t present; // bit a field
    uint64_t number[FIELD_NUMBERS];
    struct span word[FIELD_COUNT - FIELD_NUMBERS];
};

static inline bool field_has(const struct fields *fields, enum field field)
{
    return (fields->present >> field & 1u) != 0;
}

static inline struct span field_word(const struct fields *fields, enum field field)
{
    return fields->word[field - FIELD_NUMBERS];
}

enum vendor {
    VENDOR_INTEL,
    VENDOR_AMD,
    VENDOR_ARM,
    VENDOR_XEN,
    VENDOR_SWIOTLB,
    VENDOR_VFIO,
    VENDOR_GENERIC,
    VENDOR_COUNT,
};

// What a message is to the report.
enum role {
    ROLE_PROBLEM, // makes or feeds an entry
    ROLE_DETAIL,  // completes an entry that another message made
    ROLE_BOOT,    // says what is on
    ROLE_CONTEXT, // not of the IOMMU; evidence for why something happened
    ROLE_CATCH,   // a problem of which no more is known; any other match on the line is preferred
    ROLE_NOTICE,  // mentions the IOMMU, no format known; any other match on the line is preferred
};

struct engine;
struct message;

// One message format: a row of the tables in formats_*.c.
//
// Pattern: literal text; a space matches any run of white space; {field} reads a value;
// {kv} reads name=value pairs; {skip} reads up to the next literal; <...> may be missing; ~ marks
// the place after which a message cut short still counts.
struct format {
    const char *id;   // stable name of the format, counted in the JSON output
    const char *kind; // the kind of problem, a section of the explanations; NULL: none
    enum vendor vendor;
    enum role role;
    const char *pattern;
    void (*hook)(struct engine *engine, struct message *message); // may be NULL
};

struct log_time {
    bool monotonic_valid;
    bool wall_valid;
    double monotonic_s; // since boot
    double wall_s;      // since the epoch, or since an unknown year's start
    bool micros;        // the log shows microseconds, which are not for people
    struct span text;   // as the log shows it
};

// A recognised message on its way from the parser to the tables.
struct message {
    const struct format *format;
    unsigned int format_index;
    const char *kind; // the format's, or what a hook made of it
    struct fields fields;
    struct log_time time;
    struct span line;   // the message without its prefix
    struct span before; // the part of it before the pattern
    struct span driver; // "driver device:" at its head, may be empty
    struct span device; // likewise
    uint64_t repeat;    // how often it happened (message repeated N times)
};

#endif
