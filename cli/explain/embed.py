#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns explanations.txt into a C source with the same bytes.

    embed.py INPUT OUTPUT

The program's own reader checks the text (a unit test reads the built-in copy), so that the
built-in file and one given with --explanations can never be read differently.
"""

import sys


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as stream:
        data = stream.read()
    with open(target, "w", encoding="ascii") as out:
        out.write("// Made from explanations.txt by embed.py.\n#include \"knowledge.h\"\n\n")
        out.write("const char explanations_text[] = {\n")
        for start in range(0, len(data), 20):
            piece = data[start:start + 20]
            out.write("    " + " ".join(f"{b if b < 128 else b - 256}," for b in piece) + "\n")
        out.write("    0};\n")
        out.write(f"const size_t explanations_bytes = {len(data)};\n")


main()
