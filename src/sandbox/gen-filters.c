/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Run at build time: lists of system calls in, a header with filters in the kernel's form out, so
 * that kiln itself needs no libseccomp.
 *
 *   main.syscalls vcpu.syscalls -> parse -> libseccomp -> BPF -> struct sock_filter arrays
 *
 * Usage: gen-filters OUT NAME=LIST…; the form of a list is told in main.syscalls.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17 */
#endif

enum { MAX_CONDITIONS = 4 };

static const struct {
    const char *name;
    guint64 value;
} constants[] = {
#define C(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    C(AF_UNIX),
    C(PROT_EXEC),
    C(MAP_ANONYMOUS),
    C(CLONE_THREAD),
    C(SECCOMP_SET_MODE_FILTER),
    C(PR_SET_NAME),
    C(PR_GET_NAME),
    C(PR_SET_NO_NEW_PRIVS),
    C(PR_SET_VMA),
    C(O_ACCMODE),
    C(O_RDONLY),
    C(O_WRONLY),
    C(O_RDWR),
    C(O_CREAT),
    C(O_TRUNC),
    C(TCGETS),
    C(TCSETS),
    C(TCSETSW),
    C(TCSETSF),
    C(TIOCGWINSZ),
    C(TIOCGPGRP),
    C(TIOCGPTN),
    C(TUNSETOFFLOAD),
    C(TUNSETQUEUE),
    C(TIOCOUTQ),
    C(FIONREAD),
    C(FIONBIO),
    C(KVM_RUN),
    C(KVM_IRQ_LINE),
    C(KVM_SIGNAL_MSI),
    C(KVM_SET_GSI_ROUTING),
    C(KVM_IRQFD),
    C(KVM_IOEVENTFD),
    C(KVM_SET_USER_MEMORY_REGION),
    C(KVM_GET_REGS),
    C(KVM_SET_REGS),
    C(KVM_GET_SREGS),
    C(KVM_SET_SREGS),
    C(KVM_GET_SREGS2),
    C(KVM_SET_SREGS2),
    C(KVM_GET_FPU),
    C(KVM_SET_FPU),
    C(KVM_GET_XSAVE),
    C(KVM_GET_XSAVE2),
    C(KVM_SET_XSAVE),
    C(KVM_GET_XCRS),
    C(KVM_SET_XCRS),
    C(KVM_GET_MSRS),
    C(KVM_SET_MSRS),
    C(KVM_GET_LAPIC),
    C(KVM_GET_PIT2),
    C(KVM_SET_PIT2),
    C(KVM_SET_LAPIC),
    C(KVM_GET_MP_STATE),
    C(KVM_SET_MP_STATE),
    C(KVM_GET_VCPU_EVENTS),
    C(KVM_SET_VCPU_EVENTS),
    C(KVM_GET_DEBUGREGS),
    C(KVM_SET_DEBUGREGS),
    C(KVM_SET_CPUID2),
    C(KVM_GET_CPUID2),
    C(KVM_KVMCLOCK_CTRL),
    C(KVM_NMI),
    C(KVM_GET_CLOCK),
    C(VHOST_GET_FEATURES),
    C(VFIO_DEVICE_SET_IRQS),
    C(VFIO_DEVICE_RESET),
    C(VHOST_SET_FEATURES),
    C(VHOST_SET_MEM_TABLE),
    C(VHOST_SET_VRING_NUM),
    C(VHOST_SET_VRING_ADDR),
    C(VHOST_SET_VRING_BASE),
    C(VHOST_GET_VRING_BASE),
    C(VHOST_SET_VRING_KICK),
    C(VHOST_SET_VRING_CALL),
    C(VHOST_SET_VRING_ERR),
    C(VHOST_NET_SET_BACKEND),
    C(VHOST_VSOCK_SET_RUNNING),
#undef C
    { "KVM_IOCTLS", KVMIO << 8 },
    { "ALL", G_MAXUINT64 },
    /* asm/termbits.h cannot be included beside sys/ioctl.h; struct termios2 has 44 bytes. */
    { "TCGETS2", _IOC(_IOC_READ, 'T', 0x2a, 44) },
    { "TCSETS2", _IOC(_IOC_WRITE, 'T', 0x2b, 44) },
    { "TCSETSW2", _IOC(_IOC_WRITE, 'T', 0x2c, 44) },
    { "TCSETSF2", _IOC(_IOC_WRITE, 'T', 0x2d, 44) },
};

static const struct {
    const char *name;
    int value;
} errnos[] = { { "EACCES", EACCES }, { "ENOSYS", ENOSYS }, { "EPERM", EPERM } };

/* Where we are, for messages. */
static const char *list_path;
static guint list_line;

static void die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

static void
die(const char *format, ...)
{
    va_list args;
    g_autofree char *message = NULL;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "%s:%u: %s\n", list_path, list_line, message);
    exit(1);
}

/* A number, a constant, or "(A|B|C)". */
static guint64
parse_value(const char *text)
{
    g_autofree char *bare = g_strdup(text);
    g_auto(GStrv) parts = NULL;
    guint64 value = 0;

    if (bare[0] == '(' && g_str_has_suffix(bare, ")")) {
        bare[strlen(bare) - 1] = '\0';
        memmove(bare, bare + 1, strlen(bare));
    }
    parts = g_strsplit(bare, "|", -1);
    for (guint i = 0; parts[i] != NULL; i++) {
        gboolean hex = g_str_has_prefix(parts[i], "0x");
        guint64 number = 0;
        gsize n = 0;

        if (g_ascii_isdigit(parts[i][0])) {
            if (!g_ascii_string_to_unsigned(parts[i] + (hex ? 2 : 0), hex ? 16 : 10, 0, G_MAXUINT64,
                                            &number, NULL))
                die("'%s' is not a number", parts[i]);
            value |= number;
            continue;
        }
        while (n < G_N_ELEMENTS(constants) && strcmp(constants[n].name, parts[i]) != 0)
            n++;
        if (n == G_N_ELEMENTS(constants))
            die("the constant '%s' is not known to gen-filters", parts[i]);
        value |= constants[n].value;
    }
    return value;
}

/* "a1&MASK==VALUE" or "a1==VALUE". */
static struct scmp_arg_cmp
parse_condition(const char *text)
{
    g_auto(GStrv) sides = g_strsplit(text, "==", 2);
    guint64 mask = G_MAXUINT32;
    guint64 value;

    if (g_strv_length(sides) != 2 || text[0] != 'a' || text[1] < '0' || text[1] > '5' ||
        (sides[0][2] != '\0' && sides[0][2] != '&'))
        die("'%s' is not a condition", text);
    if (sides[0][2] == '&')
        mask = parse_value(sides[0] + 3);
    value = parse_value(sides[1]);
    if ((value & ~mask) != 0)
        die("'%s' can never be true", text);
    return SCMP_CMP((unsigned)(text[1] - '0'), SCMP_CMP_MASKED_EQ, mask, value);
}

static guint32
parse_errno(const char *text)
{
    for (gsize i = 0; i < G_N_ELEMENTS(errnos); i++) {
        if (strcmp(errnos[i].name, text) == 0)
            return SCMP_ACT_ERRNO((guint32)errnos[i].value);
    }
    die("the errno '%s' is not known to gen-filters", text);
}

/* One line of a list; @names gets the system call, @within (nullable) must have it. */
static void
add_line(scmp_filter_ctx filter, const char *line, GHashTable *names, GHashTable *within)
{
    struct scmp_arg_cmp conditions[MAX_CONDITIONS];
    guint n_conditions = 0;
    guint32 action = SCMP_ACT_ALLOW;
    const char *colon = strstr(line, ": ");
    g_autofree char *rule = NULL;
    g_auto(GStrv) words = NULL;
    const char *name = NULL;
    int number;
    int failed;

    if (colon == NULL || colon[2] == '\0')
        die("a line ends in ': ' and its reason");
    rule = g_strndup(line, (gsize)(colon - line));
    words = g_strsplit_set(rule, " \t", -1);
    for (guint i = 0; words[i] != NULL; i++) {
        if (words[i][0] == '\0')
            continue;
        if (name == NULL) {
            name = words[i];
        } else if (strcmp(words[i], "=") == 0) {
            if (words[i + 1] == NULL)
                die("'=' is followed by an errno");
            action = parse_errno(words[++i]);
        } else if (n_conditions == MAX_CONDITIONS) {
            die("too many conditions");
        } else {
            conditions[n_conditions++] = parse_condition(words[i]);
        }
    }
    if (name == NULL)
        die("no system call");
    number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        die("'%s' is not a system call", name);
    if (within != NULL && !g_hash_table_contains(within, name))
        die("'%s' is not in the first list, which holds for all threads", name);
    failed = seccomp_rule_add_array(filter, action, number, n_conditions, conditions);
    if (failed != 0)
        die("%s: libseccomp refuses the rule: %s", name, g_strerror(-failed));
    g_hash_table_add(names, g_strdup(name));
}

/* The filter as BPF instructions. */
static GByteArray *export(scmp_filter_ctx filter)
{
    GByteArray *bytes = g_byte_array_new();
    FILE *file = tmpfile();
    guint8 buffer[4096];
    size_t got;

    if (file == NULL || seccomp_export_bpf(filter, fileno(file)) != 0)
        die("libseccomp cannot export the filter");
    rewind(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        g_byte_array_append(bytes, buffer, (guint)got);
    fclose(file);
    return bytes;
}

static void
print_filter(GString *out, const char *name, const GByteArray *bytes)
{
    const struct sock_filter *code = (const struct sock_filter *)(const void *)bytes->data;
    gsize n = bytes->len / sizeof *code;

    g_string_append_printf(out, "\nstatic const struct sock_filter %s_filter[] = {\n", name);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, "    { 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt,
                               code[i].jf, code[i].k);
    g_string_append(out, "};\n");
}

static GHashTable *
add_list(GString *out, const char *name, const char *path, GHashTable *within)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GByteArray) code = NULL;
    g_autoptr(GError) error = NULL;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    list_path = path;
    list_line = 0;
    if (filter == NULL)
        die("libseccomp does not start");
    if (!g_file_get_contents(path, &text, NULL, &error))
        die("%s", error->message);
    /* Another architecture's calls are no way around; common calls are found by bisection. */
    if (seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
        die("libseccomp refuses an attribute");
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        list_line = i + 1;
        if (lines[i][0] != '\0' && lines[i][0] != '#')
            add_line(filter, lines[i], names, within);
    }
    code = export(filter);
    seccomp_release(filter);
    print_filter(out, name, code);
    return g_steal_pointer(&names);
}

int
main(int argc, char **argv)
{
    g_autoptr(GString) out =
        g_string_new("/* Made by gen-filters from the lists main.syscalls and vcpu.syscalls. */\n"
                     "#include <linux/filter.h>\n");
    g_autoptr(GHashTable) first = NULL;
    g_autoptr(GError) error = NULL;

    list_path = argv[0];
    if (argc < 3)
        die("usage: gen-filters OUT NAME=LIST...");
    for (int i = 2; i < argc; i++) {
        g_auto(GStrv) pair = g_strsplit(argv[i], "=", 2);
        g_autoptr(GHashTable) names = NULL;

        if (g_strv_length(pair) != 2)
            die("'%s' is not NAME=LIST", argv[i]);
        names = add_list(out, pair[0], pair[1], first);
        if (first == NULL)
            first = g_steal_pointer(&names);
    }
    if (!g_file_set_contents(argv[1], out->str, (gssize)out->len, &error))
        die("%s", error->message);
    return 0;
}
