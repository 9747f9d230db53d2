/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See domain.h. */
#include "domain/domain.h"

#include "base/error.h"
#include "base/fd.h"
#include "domain/devices.h"
#include "domain/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* ---- The elements right below <domain> ------------------------------------------------------- */

static const char *const action_names[] = {
    NULL,
    "destroy",
    "restart",
    "preserve",
    "rename-restart",
    "coredump-destroy",
    "coredump-restart",
};
static const char *const lockfailure_names[] = { NULL, "poweroff", "restart", "pause", "ignore" };

enum { N_OFF_ACTIONS = KILN_ACTION_RENAME_RESTART + 1 };

static const KilnField lifecycle_fields[] = {
    { .path = "on_poweroff",
      .kind = KILN_KIND_ENUM,
      .names = action_names,
      .n_names = N_OFF_ACTIONS,
      .offset = offsetof(KilnLifecycle, on_poweroff) },
    { .path = "on_reboot",
      .kind = KILN_KIND_ENUM,
      .names = action_names,
      .n_names = N_OFF_ACTIONS,
      .offset = offsetof(KilnLifecycle, on_reboot) },
    KILN_FIELD_ENUM(KilnLifecycle, on_crash, "on_crash", action_names),
    KILN_FIELD_ENUM(KilnLifecycle, on_lockfailure, "on_lockfailure", lockfailure_names),
    KILN_FIELD_SWITCH(KilnLifecycle, suspend_to_mem, "pm/suspend-to-mem@enabled", YESNO),
    KILN_FIELD_SWITCH(KilnLifecycle, suspend_to_disk, "pm/suspend-to-disk@enabled", YESNO),
    KILN_FIELD_END,
};
static const KilnStruct lifecycle_struct = { sizeof(KilnLifecycle), lifecycle_fields, NULL };

/* Known to libvirt, without a struct of ours. */
static const char *const other_names[] = {
    "seclabel",   "launchSecurity",  "perf",   "idmap", "keywrap",
    "bootloader", "bootloader_args", "hwuuid", NULL,
};

static void
others_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    kiln_kept_take(member, node, other_names);
}

static void
foreign_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    kiln_kept_take(member, node, NULL);
}

static const KilnFieldOps others_ops = {
    .parse = others_parse,
    .present = kiln_kept_present,
    .format = kiln_kept_format,
    .clear = kiln_kept_clear,
};
static const KilnFieldOps foreign_ops = {
    .parse = foreign_parse,
    .present = kiln_kept_present,
    .format = kiln_kept_format,
    .clear = kiln_kept_clear,
};

static const char *const type_names[] = { NULL, "kvm", "qemu", "xen", "lxc" };

static void
type_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    static const char *const more[] = {
        NULL,     "kvm",  "qemu", "xen", "lxc",   "openvz",    "test", "vmware",
        "hyperv", "vbox", "phyp", "vz",  "bhyve", "parallels", "hvf",  "kqemu",
    };
    int value;

    if (kiln_xml_take_enum(node, "type", TRUE, more, G_N_ELEMENTS(more), &value, faults))
        *(KilnDomainType *)member = (KilnDomainType)MIN(value, KILN_DOMAIN_TYPE_OTHER);
}

static gboolean
type_present(const void *member)
{
    return *(const KilnDomainType *)member != KILN_DOMAIN_TYPE_ABSENT;
}

static void
type_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    KilnDomainType type = *(const KilnDomainType *)member;

    kiln_xml_attribute(writer, "type", type < KILN_DOMAIN_TYPE_OTHER ? type_names[type] : "test");
}

static const KilnFieldOps type_ops = {
    .parse = type_parse,
    .present = type_present,
    .format = type_format,
};

static const KilnField domain_fields[] = {
    KILN_FIELD_CUSTOM(KilnDomain, type, "", &type_ops),
    KILN_FIELD_INT(KilnDomain, id, "@id", .flags = KILN_FIELD_LIVE),
    KILN_FIELD_STRING(KilnDomain, name, "name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDomain, uuid, "uuid"),
    KILN_FIELD_PRESENT(KilnDomain, genid_present, "genid"),
    KILN_FIELD_STRING(KilnDomain, genid, "genid"),
    KILN_FIELD_STRING(KilnDomain, title, "title"),
    KILN_FIELD_STRING(KilnDomain, description, "description"),
    KILN_FIELD_CUSTOM(KilnDomain, metadata, "metadata", &kiln_kept_element_ops),
    KILN_FIELD_EMBED(KilnDomain, memory, "", &kiln_memory_config_struct),
    KILN_FIELD_EMBED(KilnDomain, blkiotune, "blkiotune", &kiln_blkiotune_struct),
    KILN_FIELD_EMBED(KilnDomain, vcpus, "", &kiln_vcpus_struct),
    KILN_FIELD_EMBED(KilnDomain, iothreads, "", &kiln_iothreads_struct),
    KILN_FIELD_EMBED(KilnDomain, cputune, "cputune", &kiln_cputune_struct),
    KILN_FIELD_EMBED(KilnDomain, numatune, "numatune", &kiln_numatune_struct),
    KILN_FIELD_STRING(KilnDomain, partition, "resource/partition"),
    KILN_FIELD_STRING(KilnDomain, appid, "resource/fibrechannel@appid"),
    KILN_FIELD_LIST(KilnDomain, sysinfo, "sysinfo", &kiln_sysinfo_struct),
    KILN_FIELD_EMBED(KilnDomain, os, "os", &kiln_os_struct),
    KILN_FIELD_EMBED(KilnDomain, features, "features", &kiln_features_struct),
    KILN_FIELD_PRESENT(KilnDomain, cpu_present, "cpu"),
    KILN_FIELD_EMBED(KilnDomain, cpu, "cpu", &kiln_cpu_struct),
    KILN_FIELD_EMBED(KilnDomain, clock, "clock", &kiln_clock_struct),
    KILN_FIELD_EMBED(KilnDomain, lifecycle, "", &lifecycle_struct),
    { .path = "devices", .kind = KILN_KIND_CUSTOM, .offset = 0, .ops = &kiln_devices_ops },
    KILN_FIELD_CUSTOM(KilnDomain, others, "", &others_ops),
    KILN_FIELD_CUSTOM(KilnDomain, foreign, "", &foreign_ops),
    KILN_FIELD_END,
};

/* Eight, four, four, four and twelve hexadecimal digits; libvirt does not mind missing dashes. */
static char *
normal_uuid(const char *text)
{
    GString *uuid = g_string_new(NULL);

    for (; *text != '\0'; text++) {
        if (*text == '-')
            continue;
        if (!g_ascii_isxdigit(*text) || uuid->len == 36)
            break;
        g_string_append_c(uuid, g_ascii_tolower(*text));
        if (uuid->len == 8 || uuid->len == 13 || uuid->len == 18 || uuid->len == 23)
            g_string_append_c(uuid, '-');
    }
    if (*text == '\0' && uuid->len == 36)
        return g_string_free(uuid, FALSE);
    g_string_free(uuid, TRUE);
    return NULL;
}

static void
check_uuid(char **uuid, const char *name, KilnXmlNode *node, KilnFaults *faults)
{
    char *normal;

    if (*uuid == NULL)
        return;
    normal = normal_uuid(*uuid);
    if (normal == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, name, faults), NULL,
                       "'%s' is not a UUID", *uuid);
    g_free(*uuid);
    *uuid = normal;
}

guint64
kiln_domain_devices_memory(const KilnDomain *domain)
{
    guint64 bytes = 0;

    for (guint i = 0; i < domain->memories->len; i++) {
        const KilnMemoryDevice *memory = g_ptr_array_index(domain->memories, i);

        if (!g_uint64_checked_add(&bytes, bytes, memory->size.value))
            return G_MAXUINT64;
    }
    return bytes;
}

guint64
kiln_domain_boot_memory(const KilnDomain *domain)
{
    guint64 all = domain->memory.size.value, devices = kiln_domain_devices_memory(domain);

    return all > devices ? all - devices : 0;
}

/* The devices are part of <memory>, unless NUMA cells say what there is besides. */
static void
check_memory(const KilnDomain *domain, KilnXmlNode *node, KilnFaults *faults)
{
    if (domain->cpu.numa.cells->len == 0 && domain->memory.size.set && domain->memories->len > 0 &&
        kiln_domain_boot_memory(domain) == 0)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "memory", faults), NULL,
                       "must be more than all memory devices together, which are part of it");
}

/* What must fit the number of vCPUs. */
static void
check_vcpus(const KilnDomain *domain, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnDomainCpuTopology *topology = &domain->cpu.topology;
    guint64 count = domain->vcpus.count.set ? domain->vcpus.count.value : 1;
    KilnXmlNode *cpu = kiln_xml_take_child(node, "cpu", faults);

    if (topology->sockets.set && topology->cores.set && topology->threads.set) {
        guint64 dies = topology->dies.set ? topology->dies.value : 1;

        if (topology->sockets.value * dies > KILN_MAX_VCPUS ||
            topology->cores.value * topology->threads.value > KILN_MAX_VCPUS ||
            topology->sockets.value * dies * topology->cores.value * topology->threads.value !=
                count)
            kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(cpu, "topology", faults),
                           NULL, "is not one of %" G_GUINT64_FORMAT " vCPU%s", count,
                           count == 1 ? "" : "s");
    }
    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(domain->cpu.numa.cells, i);

        if (cell->cpus != NULL && kiln_bitmap_next(cell->cpus, (guint)count) >= 0)
            kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(cpu, "numa", faults), NULL,
                           "the cell %u has a vCPU that is not there", i);
    }
}

static void
domain_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDomain *domain = object;

    if (domain->name != NULL && (*domain->name == '\0' || strchr(domain->name, '\n') != NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "name", faults), NULL,
                       *domain->name == '\0' ? "holds no value" : "must be one line");
    if (domain->title != NULL && strchr(domain->title, '\n') != NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "title", faults), NULL,
                       "must be one line");
    check_uuid(&domain->uuid, "uuid", node, faults);
    check_vcpus(domain, node, faults);
    check_memory(domain, node, faults);
    if (domain->genid != NULL && *domain->genid == '\0')
        g_clear_pointer(&domain->genid, g_free); /* <genid/> asks for a new one at each start */
    check_uuid(&domain->genid, "genid", node, faults);
    if (!domain->memory.size.set && !domain->memory.max_size.set &&
        domain->cpu.numa.cells->len == 0 && kiln_xml_take_child(node, "memory", faults) == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "the element <memory> is missing");
    if (domain->os.type == NULL && kiln_xml_take_child(node, "os", faults) == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "the element <os> is missing");
}

static const KilnStruct domain_struct = { sizeof(KilnDomain), domain_fields, domain_check };

/* ---- The definition as a whole --------------------------------------------------------------- */

void
kiln_domain_free(KilnDomain *domain)
{
    if (domain == NULL)
        return;
    kiln_xml_node_free(domain->document);
    kiln_struct_free(&domain_struct, domain);
}

/* A definition from every document whose root is <domain>, with faults or without. */
static KilnDomain *
read_domain(const char *text, gsize length, KilnFaults *faults)
{
    g_autoptr(KilnXmlNode) root = kiln_xml_parse(text, length, faults);
    g_autoptr(KilnDomain) domain = NULL;

    if (root == NULL)
        return NULL;
    root->taken = TRUE;
    if (root->ns != NULL || strcmp(root->name, "domain") != 0) {
        kiln_fault_add(faults, KILN_FAULT_XML, root, NULL,
                       "the root element must be <domain>, in no namespace");
        return NULL;
    }
    domain = kiln_struct_new(&domain_struct);
    kiln_devices_init(domain);
    kiln_struct_parse_into(&domain_struct, domain, root, faults);
    kiln_xml_report_leftovers(root, faults);
    domain->document = g_steal_pointer(&root);
    return g_steal_pointer(&domain);
}

/* Gives @domain on if no fault was added since there were @before; else frees it. */
static KilnDomain *
if_faultless(KilnDomain *domain, const KilnFaults *faults, guint before)
{
    if (kiln_faults_count(faults) == before && !kiln_faults_overflowed(faults))
        return domain;
    kiln_domain_free(domain);
    return NULL;
}

KilnDomain *
kiln_domain_parse(const char *text, gsize length, KilnFaults *faults)
{
    guint before = kiln_faults_count(faults);
    KilnDomain *domain = read_domain(text, length, faults);

    kiln_faults_sort(faults);
    return if_faultless(domain, faults, before);
}

KilnDomain *
kiln_domain_define(const char *text, gsize length, KilnFaults *faults)
{
    guint before = kiln_faults_count(faults);
    g_autoptr(KilnDomain) domain = read_domain(text, length, faults);

    if (domain != NULL)
        (void)kiln_domain_validate(domain, faults);
    if (domain != NULL && kiln_faults_count(faults) == before)
        (void)kiln_domain_assign(domain, faults);
    kiln_faults_sort(faults);
    return if_faultless(g_steal_pointer(&domain), faults, before);
}

/* Reads all of the file, up to one byte more than a document may have. */
static GByteArray *
read_document(const char *path, GError **error)
{
    g_autoptr(GByteArray) bytes = NULL;
    struct stat st;
    g_auto(KilnFd) fd = kiln_open(path, O_RDONLY | O_NOCTTY, 0, error);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0) {
        (void)kiln_error_set_errno(error, errno, "cannot examine '%s'", path);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        (void)kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is a directory", path);
        return NULL;
    }
    bytes = g_byte_array_new();
    while (bytes->len <= KILN_XML_MAX_BYTES) {
        guint8 chunk[16384];
        ssize_t n = kiln_read_full(fd, chunk, sizeof chunk, -1);

        if (n < 0) {
            (void)kiln_error_set_errno(error, (int)-n, "cannot read '%s'", path);
            return NULL;
        }
        g_byte_array_append(bytes, chunk, (guint)n);
        if ((size_t)n < sizeof chunk)
            break;
    }
    return g_steal_pointer(&bytes);
}

KilnDomain *
kiln_domain_load(const char *path, KilnFaults *faults, GError **error)
{
    g_autoptr(GByteArray) bytes = read_document(path, error);
    KilnDomain *domain;

    if (bytes == NULL)
        return NULL;
    domain = kiln_domain_parse((const char *)bytes->data, bytes->len, faults);
    if (domain == NULL)
        (void)kiln_faults_to_error(faults, path, error);
    return domain;
}

char *
kiln_domain_format(const KilnDomain *domain, KilnDomainFormatFlags flags)
{
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();

    kiln_xml_start(writer, "domain");
    kiln_struct_format(&domain_struct, domain, writer, flags);
    kiln_xml_end(writer);
    return kiln_xml_writer_finish(writer);
}

KilnDomain *
kiln_domain_copy(const KilnDomain *domain)
{
    g_autofree char *text = kiln_domain_format(domain, KILN_FORMAT_SECURE);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *copy = kiln_domain_parse(text, strlen(text), faults);

    if (copy == NULL)
        g_error("kiln's own XML is faulty: %s: %s", kiln_faults_get(faults, 0)->path,
                kiln_faults_get(faults, 0)->message);
    return copy;
}

gboolean
kiln_domain_equal(const KilnDomain *a, const KilnDomain *b)
{
    g_autofree char *one = kiln_domain_format(a, KILN_FORMAT_SECURE);
    g_autofree char *other = kiln_domain_format(b, KILN_FORMAT_SECURE);

    return strcmp(one, other) == 0;
}
