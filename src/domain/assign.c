/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults, as libvirt fills them in when it defines a guest.  Each function looks at one part and
 * leaves alone what is said there already, so that a second run changes nothing.
 *
 *   general -> cpu -> serial ports and the console -> devices -> drives -> virtio-serial ports
 *   -> controllers -> PCI addresses
 */
#include "domain/assign.h"

#include "domain/devices.h"
#include "domain/domain.h"

#include <string.h>

static void
assign_uint(KilnUint *number, guint64 value)
{
    if (!number->set)
        *number = (KilnUint){ .set = TRUE, .value = value };
}

static void
assign_string(char **string, const char *value)
{
    if (*string == NULL)
        *string = g_strdup(value);
}

static void
assign_memory(KilnDomain *domain)
{
    guint64 sum = 0;

    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(domain->cpu.numa.cells, i);

        sum += cell->memory.value; /* each below 2^63; kiln_domain_check() has bounded the sum */
    }
    if (sum > 0) /* the cells are what counts, and the devices besides, as in libvirt */
        domain->memory.size =
            (KilnUint){ .set = TRUE, .value = sum + kiln_domain_devices_memory(domain) };
    else if (domain->memory.max_size.set)
        assign_uint(&domain->memory.size, domain->memory.max_size.value);
    if (!domain->memory.current.set || domain->memory.current.value > domain->memory.size.value)
        domain->memory.current = domain->memory.size;
}

static void
assign_general(KilnDomain *domain)
{
    KilnLifecycle *lifecycle = &domain->lifecycle;

    if (domain->uuid == NULL)
        domain->uuid = g_uuid_string_random();
    assign_memory(domain);
    assign_uint(&domain->vcpus.count, 1);
    if (domain->vcpus.placement == KILN_PLACEMENT_ABSENT)
        domain->vcpus.placement = KILN_PLACEMENT_STATIC;
    assign_string(&domain->os.arch, "x86_64");
    if (domain->os.machine == NULL || strcmp(domain->os.machine, "q35") == 0) {
        g_free(domain->os.machine); /* q35 is another name of the newest version */
        domain->os.machine = g_strdup(KILN_MACHINE_TYPE);
    }
    if (domain->clock.offset == KILN_CLOCK_ABSENT)
        domain->clock.offset = KILN_CLOCK_UTC;
    if (lifecycle->on_poweroff == KILN_ACTION_ABSENT)
        lifecycle->on_poweroff = KILN_ACTION_DESTROY;
    if (lifecycle->on_reboot == KILN_ACTION_ABSENT)
        lifecycle->on_reboot = KILN_ACTION_RESTART;
    if (lifecycle->on_crash == KILN_ACTION_ABSENT)
        lifecycle->on_crash = KILN_ACTION_DESTROY;
}

/* A guest whose document names no model gets the host's CPU. */
static void
assign_cpu(KilnDomainCpu *cpu)
{
    if (cpu->mode == KILN_DOMAIN_CPU_MODE_ABSENT)
        cpu->mode = cpu->model != NULL ? KILN_DOMAIN_CPU_MODE_CUSTOM
                                       : KILN_DOMAIN_CPU_MODE_HOST_PASSTHROUGH;
    switch (cpu->mode) {
    case KILN_DOMAIN_CPU_MODE_HOST_PASSTHROUGH:
    case KILN_DOMAIN_CPU_MODE_MAXIMUM:
        if (cpu->check == KILN_DOMAIN_CPU_CHECK_ABSENT)
            cpu->check = KILN_DOMAIN_CPU_CHECK_NONE;
        if (cpu->migratable == KILN_SWITCH_ABSENT)
            cpu->migratable = KILN_SWITCH_ON;
        break;
    default:
        if (cpu->check == KILN_DOMAIN_CPU_CHECK_ABSENT)
            cpu->check = KILN_DOMAIN_CPU_CHECK_PARTIAL;
        if (cpu->mode == KILN_DOMAIN_CPU_MODE_CUSTOM && cpu->match == KILN_DOMAIN_CPU_MATCH_ABSENT)
            cpu->match = KILN_DOMAIN_CPU_MATCH_EXACT;
        break;
    }
    for (guint i = 0; i < cpu->features->len; i++) {
        KilnDomainCpuFeature *feature = g_ptr_array_index(cpu->features, i);

        if (feature->policy == KILN_DOMAIN_CPU_FEATURE_ABSENT)
            feature->policy = KILN_DOMAIN_CPU_FEATURE_REQUIRE;
    }
}

/* ---- Serial ports and the console ------------------------------------------------------------ */

enum { MAX_SERIALS = 4 };

/* The same host side once more, by way of its XML. */
static void
copy_source(KilnCharSource *to, const KilnCharSource *from)
{
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) node = NULL;
    g_autofree char *text = NULL;

    kiln_xml_start(writer, "source");
    kiln_struct_format(&kiln_char_source_struct, from, writer, KILN_FORMAT_SECURE);
    kiln_xml_end(writer);
    text = kiln_xml_writer_finish(writer);
    node = kiln_xml_parse(text, strlen(text), faults);
    g_assert(node != NULL); /* our own XML */
    kiln_struct_clear(&kiln_char_source_struct, to);
    kiln_struct_init(&kiln_char_source_struct, to);
    kiln_struct_parse_into(&kiln_char_source_struct, to, node, faults);
}

static gboolean
is_isa(const KilnSerial *serial)
{
    return serial->target == KILN_SERIAL_TARGET_ABSENT ||
           serial->target == KILN_SERIAL_TARGET_ISA_SERIAL;
}

/* An empty device of a family: what an element without anything gives. */
static KilnXmlNode *
empty_element(const char *text)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    return kiln_xml_parse(text, strlen(text), faults);
}

/* The lowest port that no serial has yet. */
static guint
free_port(const GPtrArray *serials)
{
    guint used = 0;

    for (guint i = 0; i < serials->len; i++) {
        const KilnSerial *serial = g_ptr_array_index(serials, i);

        if (is_isa(serial) && serial->port.set && serial->port.value < 32)
            used |= 1u << serial->port.value;
    }
    return (guint)__builtin_ctz(~used | 1u << 31);
}

static void
assign_serials(KilnDomain *domain, KilnFaults *faults)
{
    guint seen = 0;

    for (guint i = 0; i < domain->serials->len; i++) {
        KilnSerial *serial = g_ptr_array_index(domain->serials, i);

        if (!is_isa(serial))
            continue;
        serial->target = KILN_SERIAL_TARGET_ISA_SERIAL;
        if (serial->model == KILN_SERIAL_MODEL_ABSENT)
            serial->model = KILN_SERIAL_MODEL_ISA_SERIAL;
        assign_uint(&serial->port, free_port(domain->serials));
        if (serial->port.value >= MAX_SERIALS)
            kiln_fault_add_at(faults, KILN_FAULT_XML, serial->place, "domain/devices/serial",
                              "there are no more than four serial ports");
        else if ((seen & 1u << serial->port.value) != 0)
            kiln_fault_add_at(faults, KILN_FAULT_XML, serial->place, "domain/devices/serial",
                              "the port %u is taken by another one", (guint)serial->port.value);
        if (serial->port.value < MAX_SERIALS)
            seen |= 1u << serial->port.value;
    }
}

static gboolean
stands_for_serial(const KilnConsole *console)
{
    return console->target == KILN_CONSOLE_TARGET_ABSENT ||
           console->target == KILN_CONSOLE_TARGET_SERIAL;
}

/*
 * The first console of type serial and the first serial port are one device, for which libvirt
 * writes both elements; either one alone brings the other one about.
 */
static void
assign_console(KilnDomain *domain, KilnFaults *faults)
{
    KilnConsole *console =
        domain->consoles->len > 0 ? g_ptr_array_index(domain->consoles, 0) : NULL;

    if (console == NULL && domain->serials->len > 0) {
        g_autoptr(KilnXmlNode) node = empty_element("<console type='pty'/>");

        console = kiln_console_parse(node, faults);
        g_ptr_array_add(domain->consoles, console);
    }
    if (console == NULL || !stands_for_serial(console))
        return;
    if (domain->serials->len == 0) {
        g_autoptr(KilnXmlNode) node = empty_element("<serial type='pty'/>");
        KilnSerial *serial = kiln_serial_parse(node, faults);

        serial->place = console->place;
        copy_source(&serial->source, &console->source);
        serial->port = console->port;
        g_ptr_array_add(domain->serials, serial);
        assign_serials(domain, faults);
    } else {
        const KilnSerial *serial = g_ptr_array_index(domain->serials, 0);

        copy_source(&console->source, &serial->source);
    }
    console->target = KILN_CONSOLE_TARGET_SERIAL;
    assign_uint(&console->port, 0);
}

static void
assign_panics(KilnDomain *domain)
{
    for (guint i = 0; i < domain->panics->len; i++) {
        KilnPanic *panic = g_ptr_array_index(domain->panics, i);

        if (panic->model == KILN_PANIC_MODEL_ABSENT)
            panic->model = KILN_PANIC_MODEL_ISA;
    }
}

/* Said in so many words, so that the guest does not get a balloon from a later version. */
static void
assign_memballoon(KilnDomain *domain, KilnFaults *faults)
{
    g_autoptr(KilnXmlNode) node = NULL;

    if (domain->memballoons->len > 0)
        return;
    node = empty_element("<memballoon model='none'/>");
    g_ptr_array_add(domain->memballoons, kiln_memballoon_parse(node, faults));
}

gboolean
kiln_domain_assign(KilnDomain *domain, KilnFaults *faults)
{
    guint before = kiln_faults_count(faults);

    assign_general(domain);
    assign_cpu(&domain->cpu);
    domain->cpu_present = TRUE;
    assign_serials(domain, faults);
    assign_console(domain, faults);
    assign_panics(domain);
    assign_memballoon(domain, faults);
    kiln_assign_devices(domain, faults);
    kiln_assign_drives(domain, faults);
    kiln_assign_virtio_serial(domain, faults);
    kiln_assign_controllers(domain, faults);
    kiln_assign_pci(domain, faults);
    kiln_faults_sort(faults);
    return kiln_faults_count(faults) == before && !kiln_faults_overflowed(faults);
}
