// SPDX-License-Identifier: MIT
/*
 * Rules for the device scopes of a DMAR [VT-d 8.3.1], and for what has to be among them.
 */
#include "firmware/lint.h"

/** What the scopes of all units have between them. */
struct seen {
    bool ioapic;
    bool hpet;
};

/** Walks the scopes of every structure of a type; zero-initialise it. */
struct walk {
    struct sluice_acpi_cursor structures;
    struct sluice_acpi_cursor scopes;
    struct sluice_dmar_structure structure;
    bool inside;
};

static bool next_scope(const struct lint *lint, struct walk *walk, struct sluice_dmar_scope *out)
{
    enum sluice_status status;

    for (;;) {
        if (walk->inside) {
            status =
                sluice_dmar_scope_next(lint->table, &walk->structure, &walk->scopes, out, NULL);
            if (status == SLUICE_OK)
                return true;
            walk->inside = status == SLUICE_ERR_FIRMWARE;
            continue;
        }
        status = sluice_dmar_next(lint->table, &walk->structures, &walk->structure, NULL);
        if (status == SLUICE_ERR_NOT_FOUND)
            return false;
        walk->inside = status == SLUICE_OK;
        walk->scopes = (struct sluice_acpi_cursor){0};
    }
}

static bool named_by_andd(const struct lint *lint, uint8_t number)
{
    struct sluice_dmar_structure item;
    struct sluice_acpi_cursor at = {0};
    enum sluice_status status;

    for (unsigned i = 0; i < LINT_SEARCHED_MAX; i++) {
        status = sluice_dmar_next(lint->table, &at, &item, NULL);
        if (status == SLUICE_ERR_NOT_FOUND)
            return false;
        if (status == SLUICE_OK && item.type == SLUICE_DMAR_ANDD && item.device_number == number)
            return true;
    }
    return true; /* too many to say */
}

static void check_path(const struct lint *lint, const struct sluice_dmar_scope *scope)
{
    if (scope->path_length == 0)
        lint_say(lint, LINT_SCOPE_PATH, scope->offset, "scope of type %u", (unsigned)scope->type);
    for (unsigned i = 0; i < scope->path_length; i++) {
        const uint8_t *step = scope->path + (size_t)2 * i;

        if (step[0] > 31 || step[1] > 7) {
            lint_say(lint, LINT_SCOPE_DEVICE, scope->offset + 6 + 2 * i, "path goes to %02x.%x",
                     (unsigned)step[0], (unsigned)step[1]);
            return;
        }
    }
}

static void check_scope(const struct lint *lint, uint16_t parent,
                        const struct sluice_dmar_scope *scope)
{
    if (scope->type < SLUICE_DMAR_SCOPE_ENDPOINT || scope->type > SLUICE_DMAR_SCOPE_ACPI) {
        lint_say(lint, LINT_SCOPE_UNKNOWN, scope->offset, "scope of type %u",
                 (unsigned)scope->type);
        return;
    }
    if (scope->reserved != 0 || (scope->flags != 0 && parent != SLUICE_DMAR_SIDP))
        lint_say(lint, LINT_RESERVED, scope->offset + 2, "scope: reserved bytes are %#x and %#x",
                 (unsigned)scope->flags, (unsigned)scope->reserved);
    check_path(lint, scope);
    if (scope->type == SLUICE_DMAR_SCOPE_ACPI && !named_by_andd(lint, scope->enumeration_id))
        lint_say(lint, LINT_ACPI_NAME_MISSING, scope->offset, "ACPI device number %u",
                 (unsigned)scope->enumeration_id);
}

static bool same_path(const struct sluice_dmar_scope *one, const struct sluice_dmar_scope *other)
{
    if (one->type != other->type || one->start_bus != other->start_bus ||
        one->path_length != other->path_length || one->path_length == 0)
        return false;
    if (one->type != SLUICE_DMAR_SCOPE_ENDPOINT && one->type != SLUICE_DMAR_SCOPE_BRIDGE &&
        one->enumeration_id != other->enumeration_id)
        return false;
    for (unsigned i = 0; i < 2 * one->path_length; i++) {
        if (one->path[i] != other->path[i])
            return false;
    }
    return true;
}

/** Whether a scope of a unit stands again behind it, at a unit of the same segment. */
static void find_again(const struct lint *lint, const struct walk *from,
                       const struct sluice_dmar_scope *scope)
{
    struct sluice_dmar_scope other;
    struct walk behind = *from;

    for (unsigned i = 0; i < LINT_COMPARED_MAX && next_scope(lint, &behind, &other); i++) {
        if (behind.structure.type == SLUICE_DMAR_DRHD &&
            behind.structure.segment == from->structure.segment && same_path(scope, &other))
            lint_say(lint, LINT_SCOPE_DUPLICATE, other.offset, "the same as at offset %#x",
                     (unsigned)scope->offset);
    }
}

static void refused_scopes(const struct lint *lint, const struct sluice_dmar_structure *structure)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_scope scope;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_dmar_scope_next(lint->table, structure, &at, &scope, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_ERR_FIRMWARE)
            lint_malformed(lint, &error);
        else
            check_scope(lint, structure->type, &scope);
    }
}

static void check_remapping(const struct lint *lint, const struct seen *seen)
{
    struct sluice_dmar_header header;

    if (sluice_dmar_header(lint->table, &header, NULL) != SLUICE_OK ||
        (header.flags & SLUICE_DMAR_INTR_REMAP) == 0)
        return;
    if (!seen->ioapic)
        lint_say(lint, LINT_IOAPIC_MISSING, 37, "interrupt remapping, and no scope of an IOAPIC");
    if (!seen->hpet)
        lint_say(lint, LINT_HPET_MISSING, 37, "interrupt remapping, and no scope of an HPET");
}

void lint_dmar_scopes(const struct lint *lint)
{
    struct sluice_dmar_structure structure;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_scope scope;
    struct seen seen = {false, false};
    struct walk walk = {.inside = false};
    enum sluice_status status;
    unsigned compared = 0;

    while ((status = sluice_dmar_next(lint->table, &at, &structure, NULL)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            refused_scopes(lint, &structure);
    }
    while (next_scope(lint, &walk, &scope)) {
        if (walk.structure.type != SLUICE_DMAR_DRHD)
            continue;
        seen.ioapic = seen.ioapic || scope.type == SLUICE_DMAR_SCOPE_IOAPIC;
        seen.hpet = seen.hpet || scope.type == SLUICE_DMAR_SCOPE_HPET;
        if (compared++ < LINT_COMPARED_MAX)
            find_again(lint, &walk, &scope);
    }
    check_remapping(lint, &seen);
}
