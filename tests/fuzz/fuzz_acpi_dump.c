// SPDX-License-Identifier: MIT
// libFuzzer: any bytes as the text of acpidump, then shown in both forms, as `sluice acpi` does.
// Seeds: seeds/acpi-dump.
#include "tables.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void show(FILE *stream, const struct acpi_input *input)
{
    struct acpi_view view = {.lint = true};
    struct sluice_acpi_table table;
    struct sluice_acpi_error error;

    if (sluice_acpi_open(input->data, input->size_bytes, &table, &error) != SLUICE_OK)
        return;
    cli_out_init(&view.out, stream, CLI_COLOUR_NEVER);
    acpi_text(&view, input, &table);
    if (!cli_put_json(stream, acpi_json(&view, input, &table)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct acpi_inputs inputs = {0};
    FILE *stream = fopen("/dev/null", "w");

    if (stream == NULL)
        abort();
    if (acpi_is_dump(data, size_bytes))
        acpi_read_dump(&inputs, "fuzz", data, size_bytes);
    for (size_t i = 0; i < inputs.count; i++)
        show(stream, &inputs.items[i]);
    acpi_inputs_free(&inputs);
    (void)fclose(stream);
    return 0;
}
