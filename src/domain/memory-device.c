/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/memory-device.h"

const char *const kiln_memory_device_model_names[KILN_N_MEMORY_DEVICE_MODEL] = {
    [KILN_MEMORY_DEVICE_MODEL_DIMM] = "dimm",
    [KILN_MEMORY_DEVICE_MODEL_NVDIMM] = "nvdimm",
    [KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM] = "virtio-pmem",
    [KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM] = "virtio-mem",
    [KILN_MEMORY_DEVICE_MODEL_SGX_EPC] = "sgx-epc",
};

const char *const kiln_memory_device_access_names[KILN_N_MEMORY_DEVICE_ACCESS] = {
    [KILN_MEMORY_DEVICE_ACCESS_SHARED] = "shared",
    [KILN_MEMORY_DEVICE_ACCESS_PRIVATE] = "private",
};

/* libvirt's own checks: domain_validate.c's virDomainMemoryDefValidate(). */
static void
check_blocks(const KilnMemoryDevice *memory, KilnXmlNode *node, KilnFaults *faults)
{
    guint64 block = memory->block.value;
    KilnXmlNode *target = kiln_xml_take_child(node, "target", faults);

    if (memory->block.set && (block == 0 || (block & (block - 1)) != 0))
        kiln_fault_add(faults, KILN_FAULT_XML, target, NULL, "<block> must be a power of two");
    else if (memory->block.set && memory->requested.value % block != 0)
        kiln_fault_add(faults, KILN_FAULT_XML, target, NULL,
                       "<requested> must be a multiple of <block>");
    else if (memory->requested.value > memory->size.value)
        kiln_fault_add(faults, KILN_FAULT_XML, target, NULL, "<requested> is more than <size>");
}

static void
check_memory(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnMemoryDevice *memory = object;

    if (!memory->size.set)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <target> with <size>");
    if (memory->source_path == NULL && (memory->model == KILN_MEMORY_DEVICE_MODEL_NVDIMM ||
                                        memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "model '%s' needs <source> with <path>",
                       kiln_memory_device_model_names[memory->model]);
    if (memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM && !memory->requested.set)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "model 'virtio-mem' needs <requested> in <target>");
    if (memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM && memory->size.set)
        check_blocks(memory, node, faults);
}

static const KilnField memory_device_fields[] = {
    KILN_FIELD_CUSTOM(KilnMemoryDevice, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnMemoryDevice, model, "@model", kiln_memory_device_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnMemoryDevice, access, "@access", kiln_memory_device_access_names),
    KILN_FIELD_SWITCH(KilnMemoryDevice, discard, "@discard", YESNO),
    KILN_FIELD_STRING(KilnMemoryDevice, uuid, "uuid",
                      .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM), .rule = &kiln_uuid_rule),
    KILN_FIELD_SIZE(KilnMemoryDevice, source_pagesize, "source/pagesize",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_DIMM) |
                            KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM)),
    KILN_FIELD_BITMAP(KilnMemoryDevice, source_nodemask, "source/nodemask",
                      .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_DIMM) |
                              KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM) |
                              KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_SGX_EPC)),
    KILN_FIELD_STRING(KilnMemoryDevice, source_path, "source/path",
                      .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM) |
                              KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM),
                      .rule = &kiln_path_rule),
    KILN_FIELD_SIZE(KilnMemoryDevice, source_alignsize, "source/alignsize",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM)),
    KILN_FIELD_PRESENT(KilnMemoryDevice, source_pmem, "source/pmem",
                       .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM)),
    KILN_FIELD_SIZE(KilnMemoryDevice, size, "target/size", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnMemoryDevice, node, "target/node", 0, G_MAXUINT32),
    KILN_FIELD_SIZE(KilnMemoryDevice, block, "target/block",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM)),
    KILN_FIELD_SIZE(KilnMemoryDevice, requested, "target/requested",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM)),
    KILN_FIELD_SIZE(KilnMemoryDevice, current, "target/current",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM),
                    .flags = KILN_FIELD_LIVE),
    KILN_FIELD_SIZE(KilnMemoryDevice, label_size, "target/label/size",
                    .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM)),
    KILN_FIELD_PRESENT(KilnMemoryDevice, readonly, "target/readonly",
                       .only = KILN_ONLY(KILN_MEMORY_DEVICE_MODEL_NVDIMM)),
    KILN_FIELD_EMBED(KilnMemoryDevice, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_memory_device_struct = {
    .size = sizeof(KilnMemoryDevice),
    .fields = memory_device_fields,
    .check = check_memory,
    KILN_STRUCT_VARIANT(KilnMemoryDevice, model),
};

KILN_FAMILY_DEFINE(KilnMemoryDevice, memory_device, "memory")
