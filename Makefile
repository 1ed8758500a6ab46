# SPDX-License-Identifier: MIT
# The front door. What each word does stands in tools/; this file only opens the way.
#
#   make, make run   boot the demonstration kernel in QEMU and tell what happens
#                    IOMMU=name  the shape of the machine (tools/machine run --help)
#                    QEMU_ARGS=  extra arguments for QEMU
#   make test        every test; the last line is "N passed, N failed, N skipped"
#   make bench       benchmarks of the page tables, beside their floors
#   make fuzz        every fuzz target for SECONDS each (60)
#   make soak        tests and machines over and over for MINUTES (60)
#   make format      bring the source into its layout
#   make tidy        clang-tidy over the tree
#   make measure     lengths, stack use and code size
#   make install     build and install the library (PREFIX, DESTDIR)

IOMMU ?=
QEMU_ARGS ?=
SECONDS ?= 60
MINUTES ?= 60
PREFIX ?= /usr/local
STAGES ?=
YES := $(if $(filter true,$(CI)),--yes)

.PHONY: run test bench fuzz soak format tidy measure install

run:
	@tools/setup $(YES) run $(if $(filter all aarch64-% riscv64-%,$(IOMMU)),machines)
	@tools/machine run $(if $(IOMMU),--iommu '$(IOMMU)') $(if $(QEMU_ARGS),--args='$(QEMU_ARGS)')

test:
	@tools/setup $(YES)
	@tools/run-tests $(STAGES)

bench:
	@tools/setup $(YES) build
	@tools/bench

fuzz:
	@tools/setup $(YES) test
	@tools/fuzz --seconds $(SECONDS)

soak:
	@tools/setup $(YES) test
	@tools/soak --minutes $(MINUTES)

format:
	@tools/check-format --fix

tidy:
	@tools/check-tidy

measure:
	@tools/measure

install:
	@tools/setup $(YES) build
	@tools/install '$(PREFIX)'
