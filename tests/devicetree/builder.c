// SPDX-License-Identifier: MIT
#include "builder.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX  64u
#define COUNT(...) (sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    (void)fprintf(stderr, "tree builder: %s: %s\n", what, fdt_strerror(result));
    abort();
}

/* ---- written in order ---- */

static void node(struct tree *tree, const char *name)
{
    must(fdt_begin_node(tree->blob, name), name);
}

static void end(struct tree *tree)
{
    must(fdt_end_node(tree->blob), "end of node");
}

/** Several strings, with the zeros between them as they stand. */
static void texts(struct tree *tree, const char *name, const char *value, size_t bytes)
{
    must(fdt_property(tree->blob, name, value, (int)bytes), name);
}

static void text(struct tree *tree, const char *name, const char *value)
{
    texts(tree, name, value, strlen(value) + 1);
}

static void flag(struct tree *tree, const char *name)
{
    must(fdt_property(tree->blob, name, NULL, 0), name);
}

static void cells_of(struct tree *tree, const char *name, size_t count, const uint32_t *values)
{
    fdt32_t big[CELLS_MAX];

    if (count > CELLS_MAX)
        abort();
    for (size_t i = 0; i < count; i++)
        big[i] = cpu_to_fdt32(values[i]);
    must(fdt_property(tree->blob, name, big, (int)(count * 4)), name);
}

#define cells(tree, name, ...)                                                                     \
    cells_of(tree, name, COUNT(__VA_ARGS__), (const uint32_t[]){__VA_ARGS__})

static void bus_cells(struct tree *tree, uint32_t address, uint32_t size)
{
    cells(tree, "#address-cells", address);
    cells(tree, "#size-cells", size);
}

static void begin(struct tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    must(fdt_create(tree->blob, (int)sizeof(tree->blob)), "create");
    must(fdt_finish_reservemap(tree->blob), "reserve map");
    node(tree, "");
}

static void finish(struct tree *tree)
{
    end(tree);
    must(fdt_finish(tree->blob), "finish");
    tree->bytes = fdt_totalsize(tree->blob);
}

static void gic(struct tree *tree)
{
    node(tree, "gic@8000000");
    text(tree, "compatible", "arm,gic-v3");
    cells(tree, "#interrupt-cells", 3);
    flag(tree, "interrupt-controller");
    cells(tree, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
    cells(tree, "phandle", PH_GIC);
    end(tree);
}

static void smmu(struct tree *tree)
{
    node(tree, "iommu@9050000");
    text(tree, "compatible", "arm,smmu-v3");
    cells(tree, "reg", 0x9050000, 0x20000);
    cells(tree, "interrupts", 0, 74, 1, 0, 75, 1, 0, 76, 1, 0, 77, 1);
    texts(tree, "interrupt-names", "eventq\0priq\0cmdq-sync\0gerror", 29);
    cells(tree, "#iommu-cells", 1);
    flag(tree, "dma-coherent");
    cells(tree, "phandle", PH_SMMU);
    end(tree);
}

static void soc_devices(struct tree *tree)
{
    node(tree, "ethernet@a000000");
    text(tree, "compatible", "test,nic");
    cells(tree, "reg", 0xa000000, 0x1000);
    cells(tree, "iommus", PH_SMMU, 0x300, PH_SMMU, 0x301);
    cells(tree, "memory-region", PH_FRAMES);
    flag(tree, "dma-coherent");
    cells(tree, "phandle", PH_NIC);
    end(tree);

    node(tree, "dma@b000000");
    text(tree, "compatible", "test,dma");
    cells(tree, "reg", 0xb000000, 0x1000);
    cells(tree, "iommus", PH_MMU500, 0x410, 0x803);
    end(tree);

    node(tree, "iommu@c000000");
    texts(tree, "compatible", "qcom,test-smmu-500\0arm,mmu-500", 31);
    cells(tree, "reg", 0xc000000, 0x40000);
    cells(tree, "#global-interrupts", 2);
    cells(tree, "interrupts", 0, 65, 4, 0, 66, 4, 0, 67, 4, 0, 68, 4);
    cells(tree, "#iommu-cells", 2);
    cells(tree, "phandle", PH_MMU500);
    end(tree);

    node(tree, "bus@d000000");
    text(tree, "compatible", "simple-bus");
    bus_cells(tree, 1, 1);
    cells(tree, "ranges", 0, 0xd000000, 0x10000);
    cells(tree, "dma-ranges", 0, 0, 0x40000000);
    node(tree, "usb@0");
    cells(tree, "reg", 0x100, 0x100);
    cells(tree, "iommus", PH_SMMU, 0x320);
    end(tree);
    end(tree);
}

static void soc(struct tree *tree)
{
    node(tree, "soc");
    text(tree, "compatible", "simple-bus");
    bus_cells(tree, 1, 1);
    cells(tree, "ranges", 0, 1, 0, 0x10000000, 0x80000000, 0, 0x80000000, 0x40000000);
    smmu(tree);
    soc_devices(tree);
    end(tree);
}

static void pcie(struct tree *tree)
{
    node(tree, "pcie@10000000");
    text(tree, "compatible", "pci-host-ecam-generic");
    text(tree, "device_type", "pci");
    bus_cells(tree, 3, 2);
    cells(tree, "reg", 0, 0x10000000, 0, 0x2000000);
    cells(tree, "ranges", 0x2000000, 0, 0x40000000, 0, 0x40000000, 0, 0x10000000);
    cells(tree, "bus-range", 0, 0x1f);
    cells(tree, "linux,pci-domain", 1);
    cells(tree, "iommu-map", 0, PH_SMMU, 0x1000, 0x800, 0x800, PH_SMMU, 0x4000, 0x1800);
    flag(tree, "dma-coherent");
    cells(tree, "phandle", PH_PCIE);
    end(tree);
}

static void pcie_virtio(struct tree *tree)
{
    node(tree, "pcie@20000000");
    text(tree, "compatible", "pci-host-ecam-generic");
    text(tree, "device_type", "pci");
    bus_cells(tree, 3, 2);
    cells(tree, "reg", 0, 0x20000000, 0, 0x10000000);
    cells(tree, "ranges", 0x2000000, 0, 0x50000000, 0, 0x50000000, 0, 0x10000000);
    cells(tree, "linux,pci-domain", 2);
    cells(tree, "iommu-map", 0, PH_VIOMMU, 0, 8, 9, PH_VIOMMU, 9, 0xfff7);
    node(tree, "iommu@1,0");
    texts(tree, "compatible", "virtio,pci-iommu\0pci1af4,1057", 30);
    cells(tree, "reg", 0x800, 0, 0, 0, 0);
    cells(tree, "#iommu-cells", 1);
    cells(tree, "phandle", PH_VIOMMU);
    end(tree);
    end(tree);
}

static void virtio_mmio(struct tree *tree)
{
    node(tree, "virtio_mmio@a003e00");
    text(tree, "compatible", "virtio,mmio");
    cells(tree, "reg", 0, 0xa003e00, 0, 0x200);
    cells(tree, "interrupts", 0, 47, 1);
    cells(tree, "#iommu-cells", 1);
    cells(tree, "phandle", PH_VMMIO);
    end(tree);

    node(tree, "disk@a004000");
    text(tree, "compatible", "virtio,mmio");
    cells(tree, "reg", 0, 0xa004000, 0, 0x200);
    cells(tree, "iommus", PH_VMMIO, 1);
    end(tree);
}

static void reserved(struct tree *tree)
{
    node(tree, "reserved-memory");
    bus_cells(tree, 2, 2);
    flag(tree, "ranges");
    node(tree, "framebuffer@80000000");
    cells(tree, "reg", 0, 0x80000000, 0, 0x800000);
    cells(tree, "iommu-addresses", PH_NIC, 0x80000000, 0x800000);
    cells(tree, "phandle", PH_FRAMES);
    end(tree);
    end(tree);
}

/** Into a blob that can be changed, of the whole room. */
static void loosen(struct tree *tree)
{
    must(fdt_open_into(tree->blob, tree->blob, (int)sizeof(tree->blob)), "open");
    tree->bytes = fdt_totalsize(tree->blob);
}

void tree_board(struct tree *tree)
{
    begin(tree);
    bus_cells(tree, 2, 2);
    text(tree, "model", "Test board");
    text(tree, "compatible", "test,board");
    cells(tree, "interrupt-parent", PH_GIC);
    gic(tree);
    soc(tree);
    pcie(tree);
    pcie_virtio(tree);
    virtio_mmio(tree);
    reserved(tree);
    finish(tree);
    loosen(tree);
}

static void riscv_soc(struct tree *tree)
{
    node(tree, "plic@c000000");
    text(tree, "compatible", "sifive,plic-1.0.0");
    cells(tree, "#interrupt-cells", 1);
    cells(tree, "reg", 0, 0xc000000, 0, 0x600000);
    cells(tree, "phandle", 1);
    end(tree);

    node(tree, "iommu@3010000");
    texts(tree, "compatible", "qemu,riscv-iommu\0riscv,iommu", 29);
    cells(tree, "reg", 0, 0x3010000, 0, 0x1000);
    cells(tree, "interrupts", 36, 37, 38, 39);
    cells(tree, "#iommu-cells", 1);
    cells(tree, "phandle", 2);
    end(tree);

    node(tree, "dma@3000000");
    cells(tree, "reg", 0, 0x3000000, 0, 0x1000);
    cells(tree, "iommus", 2, 0x24);
    end(tree);

    node(tree, "pci@30000000");
    text(tree, "compatible", "pci-host-ecam-generic");
    text(tree, "device_type", "pci");
    bus_cells(tree, 3, 2);
    cells(tree, "reg", 0, 0x30000000, 0, 0x10000000);
    cells(tree, "iommu-map", 0, 3, 0, 8, 9, 3, 9, 0xfff7);
    node(tree, "iommu@1,0");
    texts(tree, "compatible", "pci1efd,edf1\0riscv,pci-iommu", 29);
    cells(tree, "reg", 0x800, 0, 0, 0, 0);
    cells(tree, "#iommu-cells", 1);
    cells(tree, "phandle", 3);
    end(tree);
    end(tree);
}

void tree_riscv(struct tree *tree)
{
    begin(tree);
    bus_cells(tree, 2, 2);
    text(tree, "model", "RISC-V board");
    node(tree, "cpus");
    bus_cells(tree, 1, 0);
    node(tree, "cpu@0");
    text(tree, "riscv,isa", "rv64imafdch");
    cells(tree, "reg", 0);
    end(tree);
    end(tree);
    node(tree, "soc");
    bus_cells(tree, 2, 2);
    flag(tree, "ranges");
    cells(tree, "interrupt-parent", 1);
    riscv_soc(tree);
    end(tree);
    finish(tree);
    loosen(tree);
}

int tree_named(struct tree *tree, const char *name)
{
    if (strcmp(name, "riscv") == 0) {
        tree_riscv(tree);
    } else {
        tree_board(tree);
        if (strcmp(name, "broken") == 0) {
            tree_set(tree, NIC, "iommus", 2, PH_NONE, 1);
            tree_set(tree, SMMU, "reg", 1, 0x9050000);
        } else if (strcmp(name, "board") != 0) {
            return 0;
        }
    }
    must(fdt_pack(tree->blob), "pack");
    tree->bytes = fdt_totalsize(tree->blob);
    return 1;
}

/* ---- changed afterwards ---- */

static int find(struct tree *tree, const char *path)
{
    int offset = fdt_path_offset(tree->blob, path);

    must(offset, path);
    return offset;
}

void tree_set_bytes(struct tree *tree, const char *path, const char *property, const void *data,
                    size_t bytes)
{
    must(fdt_setprop(tree->blob, find(tree, path), property, data, (int)bytes), property);
}

void tree_set(struct tree *tree, const char *path, const char *property, unsigned count, ...)
{
    fdt32_t big[CELLS_MAX];
    va_list args;

    if (count > CELLS_MAX)
        abort();
    va_start(args, count);
    for (unsigned i = 0; i < count; i++)
        big[i] = cpu_to_fdt32(va_arg(args, uint32_t));
    va_end(args);
    tree_set_bytes(tree, path, property, big, (size_t)count * 4);
}

void tree_set_text(struct tree *tree, const char *path, const char *property, const char *text)
{
    tree_set_bytes(tree, path, property, text, strlen(text) + 1);
}

void tree_drop(struct tree *tree, const char *path, const char *property)
{
    must(fdt_delprop(tree->blob, find(tree, path), property), property);
}

void tree_add(struct tree *tree, const char *parent, const char *name)
{
    must(fdt_add_subnode(tree->blob, find(tree, parent), name), name);
}
