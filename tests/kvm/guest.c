/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/guest.h"

#include <string.h>

static uint32_t
pio_read(void *opaque, uint16_t port, guint size)
{
    Guest *guest = opaque;

    (void)size;
    return port == 0xf6 ? __atomic_add_fetch(&guest->counter, 1, __ATOMIC_SEQ_CST) : 0xffffffff;
}

static void
pio_write(void *opaque, uint16_t port, guint size, uint32_t value)
{
    Guest *guest = opaque;

    (void)size;
    pthread_mutex_lock(&guest->lock);
    if (port == 0xe9)
        g_string_append_c(guest->out, (char)value);
    if (port == 0xf4) {
        guest->result = value;
        guest->done = TRUE;
    }
    pthread_mutex_unlock(&guest->lock);
    if (port == 0xf5)
        guest->call(guest, value);
}

static uint64_t
mmio_read(void *opaque, KilnGpa gpa, guint size)
{
    Guest *guest = opaque;

    guest->mmio_gpa = gpa;
    guest->mmio_size = size;
    return guest->mmio_value;
}

static void
mmio_write(void *opaque, KilnGpa gpa, guint size, uint64_t value)
{
    Guest *guest = opaque;

    guest->mmio_gpa = gpa;
    guest->mmio_size = size;
    guest->mmio_value = value;
}

static const KilnVcpuOps ops = {
    .pio_read = pio_read,
    .pio_write = pio_write,
    .mmio_read = mmio_read,
    .mmio_write = mmio_write,
};

/* PML4 -> PDPT -> 8 page directories of 2 MiB pages. */
static void
write_tables(Guest *guest)
{
    uint64_t entry = (GUEST_TABLES + 0x1000) | 3;
    static const uint64_t gdt[] = { 0, 0, G_GUINT64_CONSTANT(0xaf9b000000ffff),
                                    G_GUINT64_CONSTANT(0xcf93000000ffff) };

    ck_assert(kiln_memory_write(guest->memory, GUEST_TABLES, &entry, 8));
    for (guint64 i = 0; i < 8; i++) {
        entry = (GUEST_TABLES + 0x2000 + i * 0x1000) | 3;
        ck_assert(kiln_memory_write(guest->memory, GUEST_TABLES + 0x1000 + i * 8, &entry, 8));
    }
    for (guint64 i = 0; i < 8 * 512; i++) {
        entry = i << 21 | 0x83;
        ck_assert(kiln_memory_write(guest->memory, GUEST_TABLES + 0x2000 + i * 8, &entry, 8));
    }
    ck_assert(kiln_memory_write(guest->memory, GUEST_GDT, gdt, sizeof gdt));
}

Guest *
guest_new(guint n_vcpus, uint64_t ram, const struct kvm_cpuid2 *cpuid)
{
    g_autoptr(Guest) guest = g_new0(Guest, 1);
    g_autoptr(GError) error = NULL;
    g_autofree struct kvm_cpuid2 *supported = NULL;
    KilnMemoryOptions memory = { .size = ram };
    KilnVmOptions options = { .n_vcpus = n_vcpus, .max_apic_id = n_vcpus - 1 };

    pthread_mutex_init(&guest->lock, NULL);
    guest->out = g_string_new("");
    guest->kvm = kiln_kvm_open(&error);
    kiln_assert_no_error(error);
    guest->memory = kiln_memory_new(&memory, &error);
    kiln_assert_no_error(error);
    guest->vm = kiln_vm_new(guest->kvm, guest->memory, &options, &error);
    kiln_assert_no_error(error);
    if (cpuid == NULL) {
        supported = kiln_kvm_supported_cpuid(guest->kvm, &error);
        kiln_assert_no_error(error);
    }
    for (guint i = 0; i < n_vcpus; i++) {
        KilnVcpuOptions vcpu = {
            .index = i,
            .apic_id = i,
            .cpuid = cpuid != NULL ? cpuid : supported,
            .ops = &ops,
            .opaque = guest,
        };

        guest->vcpus[i] = kiln_vcpu_new(guest->vm, &vcpu, &error);
        kiln_assert_no_error(error);
        guest->n_vcpus++;
    }
    write_tables(guest);
    return g_steal_pointer(&guest);
}

void
guest_free(Guest *guest)
{
    if (guest == NULL)
        return;
    guest_stop_threads(guest);
    for (guint i = 0; i < guest->n_vcpus; i++)
        kiln_vcpu_free(guest->vcpus[i]);
    kiln_vm_free(guest->vm);
    kiln_memory_free(guest->memory);
    kiln_kvm_free(guest->kvm);
    g_string_free(guest->out, TRUE);
    g_clear_error(&guest->error);
    pthread_mutex_destroy(&guest->lock);
    g_free(guest);
}

void
guest_load(Guest *guest, const char *start, const char *end)
{
    ck_assert(kiln_memory_write(guest->memory, GUEST_CODE, start, (uint64_t)(end - start)));
}

void
guest_start(Guest *guest, KilnVcpuMode mode)
{
    KilnVcpuStart start = {
        .mode = mode,
        .rip = GUEST_CODE,
        .rsp = GUEST_STACK,
        .rsi = 0x1234,
        .rbx = 0x5678,
        .cr3 = GUEST_TABLES,
        .gdt = GUEST_GDT,
        .gdt_limit = 31,
    };
    static const KilnVcpuStart wait = { .mode = KILN_VCPU_START_WAIT };

    for (guint i = 0; i < guest->n_vcpus; i++) {
        g_autoptr(GError) error = NULL;

        kiln_vcpu_start(guest->vcpus[i], i == 0 ? &start : &wait, &error);
        kiln_assert_no_error(error);
    }
    guest->done = FALSE;
}

void
guest_run(Guest *guest)
{
    kiln_vcpu_attach(guest->vcpus[0]);
    do {
        guest->last = kiln_vcpu_run(guest->vcpus[0], &guest->error);
    } while (guest->last == KILN_VCPU_CONTINUE && !guest->done);
    kiln_vcpu_detach(guest->vcpus[0]);
}

typedef struct {
    Guest *guest;
    guint index;
} ThreadArgument;

static void *
run_thread(void *data)
{
    g_autofree ThreadArgument *argument = data;
    KilnVcpu *vcpu = argument->guest->vcpus[argument->index];
    g_autoptr(GError) error = NULL;

    kiln_vcpu_attach(vcpu);
    while (kiln_vcpu_run(vcpu, &error) == KILN_VCPU_CONTINUE)
        ;
    kiln_vcpu_detach(vcpu);
    return NULL;
}

void
guest_start_threads(Guest *guest)
{
    for (guint i = 1; i < guest->n_vcpus; i++) {
        ThreadArgument *argument = g_new0(ThreadArgument, 1);

        argument->guest = guest;
        argument->index = i;
        ck_assert_int_eq(pthread_create(&guest->threads[i], NULL, run_thread, argument), 0);
    }
}

void
guest_stop_threads(Guest *guest)
{
    for (guint i = 1; i < guest->n_vcpus; i++) {
        if (guest->threads[i] == 0)
            continue;
        kiln_vcpu_kick(guest->vcpus[i]);
        pthread_join(guest->threads[i], NULL);
        guest->threads[i] = 0;
    }
}

int
guest_main(Suite *(*make_suite)(void))
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnKvm) kvm = kiln_kvm_open(&error);

    if (kvm == NULL)
        return kiln_test_skip_all(error->message);
    return kiln_test_main(make_suite());
}
