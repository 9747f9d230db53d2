/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the agent knows of its guest: vCPUs, file systems, interfaces, and DOMAIN_GET_GUEST_INFO,
 * which asks for one kind after the other.
 */
#include "agent/json.h"
#include "ops/agent.h"
#include "ops/tables.h"
#include "rpc/params.h"

#include <libvirt/libvirt.h>
#include <string.h>

enum {
    VCPU_MAX = 4096, /* a vCPU's number in the guest */
    LIST_MAX = 2048, /* of anything */
};

static gboolean
malformed(GError **error, const char *what)
{
    return kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR,
                              "malformed return value of the guest agent: %s", what);
}

/* ---- Disks ---- */

static gboolean
is_at(const KilnDeviceInfo *info, JsonObject *pci)
{
    const KilnPciAddress *is = &info->address.pci;
    gint64 domain = -1;
    gint64 bus = -1;
    gint64 slot = -1;
    gint64 function = -1;

    return info->address.type == KILN_ADDRESS_PCI && kiln_json_int(pci, "domain", &domain) &&
           kiln_json_int(pci, "bus", &bus) && kiln_json_int(pci, "slot", &slot) &&
           kiln_json_int(pci, "function", &function) && domain == is->domain && bus == is->bus &&
           slot == is->slot && function == is->function;
}

/* Whether the disk is one of a controller's at that PCI address. */
static gboolean
is_drive(const KilnDomain *domain, const KilnDisk *disk, JsonObject *pci, JsonObject *address)
{
    const KilnDriveAddress *drive = &disk->info.address.drive;
    gint64 bus = -1;
    gint64 target = -1;
    gint64 unit = -1;

    if (disk->info.address.type != KILN_ADDRESS_DRIVE || !kiln_json_int(address, "bus", &bus) ||
        !kiln_json_int(address, "target", &target) || !kiln_json_int(address, "unit", &unit) ||
        bus != drive->bus || target != drive->target || unit != drive->unit)
        return FALSE;
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->index.value == drive->controller && is_at(&controller->info, pci))
            return TRUE;
    }
    return FALSE;
}

const char *
kiln_ops_agent_disk(const KilnDomain *domain, JsonObject *address)
{
    JsonObject *pci = kiln_json_object(kiln_json_member(address, "pci-controller"));

    for (guint i = 0; domain != NULL && pci != NULL && i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (is_at(&disk->info, pci) || is_drive(domain, disk, pci, address))
            return disk->target_dev;
    }
    return NULL;
}

/* ---- DOMAIN_GET_FSINFO ---- */

static gboolean
fill_fsinfo(const KilnDomain *domain, JsonObject *from, remote_domain_fsinfo *to, GError **error)
{
    const char *mountpoint = kiln_json_text(from, "mountpoint");
    const char *name = kiln_json_text(from, "name");
    const char *type = kiln_json_text(from, "type");
    JsonArray *disks = kiln_json_list(from, "disk");
    guint n = MIN(kiln_json_length(disks), (guint)REMOTE_DOMAIN_FSINFO_DISKS_MAX);

    to->mountpoint = g_strdup(mountpoint != NULL ? mountpoint : "");
    to->name = g_strdup(name != NULL ? name : "");
    to->fstype = g_strdup(type != NULL ? type : "");
    if (mountpoint == NULL || name == NULL || type == NULL || disks == NULL)
        return malformed(error, "guest-get-fsinfo");
    to->dev_aliases.dev_aliases_val = g_new0(char *, n);
    for (guint i = 0; i < n; i++) {
        const char *target = kiln_ops_agent_disk(domain, kiln_json_object_at(disks, i));

        if (target != NULL)
            to->dev_aliases.dev_aliases_val[to->dev_aliases.dev_aliases_len++] = g_strdup(target);
    }
    return TRUE;
}

/* A call about a guest that is kept until its answer. */
typedef struct {
    KilnCall *call;
    KilnGuest *guest; /* (owned) */
} Asked;

static Asked *
asked_new(KilnCall *call, KilnGuest *guest)
{
    Asked *asked = g_new0(Asked, 1);

    asked->call = call;
    asked->guest = kiln_guest_ref(guest);
    return asked;
}

static void
asked_free(Asked *asked)
{
    kiln_guest_unref(asked->guest);
    g_free(asked);
}

static gboolean
fill_filesystems(const KilnDomain *domain, JsonArray *list, remote_domain_get_fsinfo_ret *ret,
                 GError **error)
{
    guint n = kiln_json_length(list);

    if (list == NULL || n > REMOTE_DOMAIN_FSINFO_MAX)
        return malformed(error, "guest-get-fsinfo");
    ret->info.info_val = g_new0(remote_domain_fsinfo, n);
    for (guint i = 0; i < n; i++) { /* in the order in which they were mounted */
        JsonObject *from = kiln_json_object_at(list, n - 1 - i);

        if (!fill_fsinfo(domain, from, &ret->info.info_val[ret->info.info_len++], error))
            return FALSE;
    }
    ret->ret = n;
    return TRUE;
}

static void
on_fsinfo_answer(JsonNode *answer, const GError *error, gpointer data)
{
    Asked *asked = data;
    remote_domain_get_fsinfo_ret ret = { { 0 } };
    g_autoptr(GError) wrong = NULL;

    if (error != NULL)
        kiln_call_fail_error(asked->call, error);
    else if (fill_filesystems(kiln_guest_live(asked->guest), kiln_json_array(answer), &ret, &wrong))
        kiln_call_reply(asked->call, &ret);
    else
        kiln_call_fail_error(asked->call, wrong);
    xdr_free((xdrproc_t)xdr_remote_domain_get_fsinfo_ret, (char *)&ret);
    asked_free(asked);
}

static void
on_get_fsinfo(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_fsinfo_args *args = data;
    KilnGuest *guest;
    Asked *asked;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL)
        return;
    asked = asked_new(call, guest);
    if (!kiln_ops_agent_ask(call, &args->dom, "guest-get-fsinfo", NULL, on_fsinfo_answer, asked))
        asked_free(asked);
}

/* ---- Interfaces ---- */

static remote_domain_interface *
interface_named(remote_domain_interface_addresses_ret *ret, const char *name)
{
    for (guint i = 0; i < ret->ifaces.ifaces_len; i++) {
        if (strcmp(ret->ifaces.ifaces_val[i].name, name) == 0)
            return &ret->ifaces.ifaces_val[i];
    }
    return NULL;
}

static gboolean
add_address(remote_domain_interface *to, JsonObject *from, GError **error)
{
    const char *text = kiln_json_text(from, "ip-address");
    const char *type = kiln_json_text(from, "ip-address-type");
    remote_domain_ip_addr *address;
    guint64 prefix = 0;

    if (text == NULL || type == NULL || !kiln_json_unsigned(from, "prefix", &prefix) ||
        prefix > 128 || to->addrs.addrs_len >= REMOTE_DOMAIN_IP_ADDR_MAX)
        return malformed(error, "an address of guest-network-get-interfaces");
    to->addrs.addrs_val =
        g_renew(remote_domain_ip_addr, to->addrs.addrs_val, to->addrs.addrs_len + 1);
    address = &to->addrs.addrs_val[to->addrs.addrs_len++];
    address->type = strcmp(type, "ipv6") == 0 ? VIR_IP_ADDR_TYPE_IPV6 : VIR_IP_ADDR_TYPE_IPV4;
    address->addr = g_strdup(text);
    address->prefix = (u_int)prefix;
    return TRUE;
}

/* "eth0:1" is another address of eth0. */
static gboolean
add_interface(remote_domain_interface_addresses_ret *ret, JsonObject *from, GError **error)
{
    const char *name = kiln_json_text(from, "name");
    const char *mac = kiln_json_text(from, "hardware-address");
    JsonArray *addresses = kiln_json_list(from, "ip-addresses");
    g_autofree char *plain = name != NULL ? g_strndup(name, strcspn(name, ":")) : NULL;
    remote_domain_interface *to;

    if (name == NULL)
        return malformed(error, "an interface without a name");
    to = interface_named(ret, plain);
    if (to == NULL) {
        to = &ret->ifaces.ifaces_val[ret->ifaces.ifaces_len++];
        to->name = g_steal_pointer(&plain);
        if (mac != NULL) {
            to->hwaddr = g_new0(char *, 1);
            *to->hwaddr = g_strdup(mac);
        }
    }
    for (guint i = 0; i < kiln_json_length(addresses); i++) {
        if (!add_address(to, kiln_json_object_at(addresses, i), error))
            return FALSE;
    }
    return TRUE;
}

gboolean
kiln_ops_agent_interfaces(JsonNode *answer, remote_domain_interface_addresses_ret *ret,
                          GError **error)
{
    JsonArray *list = kiln_json_array(answer);
    guint n = kiln_json_length(list);

    if (list == NULL || n > REMOTE_DOMAIN_INTERFACE_MAX)
        return malformed(error, "guest-network-get-interfaces");
    ret->ifaces.ifaces_val = g_new0(remote_domain_interface, n);
    for (guint i = 0; i < n; i++) {
        if (!add_interface(ret, kiln_json_object_at(list, i), error))
            return FALSE;
    }
    return TRUE;
}

static void
on_addresses_answer(JsonNode *answer, const GError *error, gpointer call)
{
    remote_domain_interface_addresses_ret ret = { { 0 } };
    g_autoptr(GError) wrong = NULL;

    if (error != NULL)
        kiln_call_fail_error(call, error);
    else if (kiln_ops_agent_interfaces(answer, &ret, &wrong))
        kiln_call_reply(call, &ret);
    else
        kiln_call_fail_error(call, wrong);
    xdr_free((xdrproc_t)xdr_remote_domain_interface_addresses_ret, (char *)&ret);
}

void
kiln_ops_agent_addresses(KilnCall *call, const remote_nonnull_domain *about)
{
    kiln_ops_agent_ask(call, about, "guest-network-get-interfaces", NULL, on_addresses_answer,
                       call);
}

/* ---- vCPUs ---- */

/* Which vCPUs the guest has, which of them run, and which of them can be stopped. */
typedef struct {
    guint8 present[VCPU_MAX];
    guint8 online[VCPU_MAX];
    guint8 can_offline[VCPU_MAX];
} GuestVcpus;

static gboolean
read_vcpus(JsonNode *answer, GuestVcpus *vcpus, GError **error)
{
    JsonArray *list = kiln_json_array(answer);

    if (list == NULL)
        return malformed(error, "guest-get-vcpus");
    for (guint i = 0; i < kiln_json_length(list); i++) {
        JsonObject *from = kiln_json_object_at(list, i);
        guint64 id = 0;
        gboolean online = FALSE;
        gboolean can_offline = FALSE;

        if (!kiln_json_unsigned(from, "logical-id", &id) || id >= VCPU_MAX ||
            !kiln_json_boolean(from, "online", &online))
            return malformed(error, "a vCPU of guest-get-vcpus");
        kiln_json_boolean(from, "can-offline", &can_offline);
        vcpus->present[id] = TRUE;
        vcpus->online[id] = online;
        vcpus->can_offline[id] = can_offline;
    }
    return TRUE;
}

/* "0-3,5" */
static char *
format_set(const guint8 *set)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < VCPU_MAX; i++) {
        guint last = i;

        if (!set[i])
            continue;
        while (last + 1 < VCPU_MAX && set[last + 1])
            last++;
        g_string_append_printf(text, "%s%u", text->len > 0 ? "," : "", i);
        if (last > i)
            g_string_append_printf(text, "-%u", last);
        i = last;
    }
    return g_string_free(text, FALSE);
}

static gboolean
parse_set(const char *text, guint8 *set)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    for (guint i = 0; parts[i] != NULL; i++) {
        gboolean clear = parts[i][0] == '^';
        g_auto(GStrv) ends = g_strsplit(g_strstrip(parts[i]) + clear, "-", 2);
        guint64 first = 0;
        guint64 last = 0;

        if (ends[0] == NULL ||
            !g_ascii_string_to_unsigned(ends[0], 10, 0, VCPU_MAX - 1, &first, NULL))
            return FALSE;
        last = first;
        if (ends[1] != NULL &&
            !g_ascii_string_to_unsigned(ends[1], 10, first, VCPU_MAX - 1, &last, NULL))
            return FALSE;
        for (guint64 id = first; id <= last; id++)
            set[id] = !clear;
    }
    return parts[0] != NULL;
}

static void
on_vcpus_answer(JsonNode *answer, const GError *error, gpointer call)
{
    g_autofree GuestVcpus *vcpus = g_new0(GuestVcpus, 1);
    g_autofree char *present = NULL;
    g_autofree char *online = NULL;
    g_autofree char *can_offline = NULL;
    g_auto(KilnParams) params = { NULL };
    remote_domain_get_guest_vcpus_ret ret = { { 0 } };
    g_autoptr(GError) wrong = NULL;

    if (error != NULL || !read_vcpus(answer, vcpus, &wrong)) {
        kiln_call_fail_error(call, error != NULL ? error : wrong);
        return;
    }
    present = format_set(vcpus->present);
    online = format_set(vcpus->online);
    can_offline = format_set(vcpus->can_offline);
    kiln_params_init(&params);
    kiln_params_add_string(&params, "vcpus", present);
    kiln_params_add_string(&params, "online", online);
    kiln_params_add_string(&params, "offlinable", can_offline);
    ret.params.params_len = params.n;
    ret.params.params_val = params.values;
    kiln_call_reply(call, &ret);
}

static void
on_get_guest_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_guest_vcpus_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0))
        kiln_ops_agent_ask(call, &args->dom, "guest-get-vcpus", NULL, on_vcpus_answer, call);
}

/* Which vCPUs are to be on or off: the guest is asked for them first, then told. */
typedef struct {
    Asked *asked;
    gboolean online;
    guint wanted; /* how many are to be changed */
    guint8 set[VCPU_MAX];
} VcpuChange;

static void
vcpu_change_free(VcpuChange *change)
{
    asked_free(change->asked);
    g_free(change);
}

/* The agent says how many of them it has changed: it stops at the first that it cannot. */
static void
on_vcpus_changed(JsonNode *answer, const GError *error, gpointer data)
{
    VcpuChange *change = data;
    KilnCall *call = change->asked->call;

    if (error != NULL)
        kiln_call_fail_error(call, error);
    else if (answer == NULL || json_node_get_value_type(answer) != G_TYPE_INT64 ||
             json_node_get_int(answer) < change->wanted)
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR,
                       "the guest agent has not changed all of the vCPUs");
    else
        kiln_call_reply(call, NULL);
    vcpu_change_free(change);
}

static JsonObject *
change_arguments(VcpuChange *change, const GuestVcpus *vcpus, GError **error)
{
    g_autoptr(JsonArray) list = json_array_new();
    JsonObject *arguments;

    for (guint i = 0; i < VCPU_MAX; i++) {
        JsonObject *vcpu;

        if (!change->set[i])
            continue;
        if (!vcpus->present[i]) {
            kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "guest is missing vCPUs '%u'", i);
            return NULL;
        }
        if (!change->online && !vcpus->can_offline[i]) {
            kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED, "vCPU '%u' is not offlinable",
                               i);
            return NULL;
        }
        vcpu = json_object_new();
        json_object_set_int_member(vcpu, "logical-id", i);
        json_object_set_boolean_member(vcpu, "online", change->online);
        json_array_add_object_element(list, vcpu);
        change->wanted++;
    }
    arguments = json_object_new();
    json_object_set_array_member(arguments, "vcpus", g_steal_pointer(&list));
    return arguments;
}

static void
on_vcpus_known(JsonNode *answer, const GError *error, gpointer data)
{
    VcpuChange *change = data;
    g_autofree GuestVcpus *vcpus = g_new0(GuestVcpus, 1);
    g_autoptr(GError) wrong = NULL;
    JsonObject *arguments = NULL;

    if (error == NULL && read_vcpus(answer, vcpus, &wrong))
        arguments = change_arguments(change, vcpus, &wrong);
    if (arguments != NULL && kiln_ops_agent_ask_guest(change->asked->guest, "guest-set-vcpus",
                                                      arguments, on_vcpus_changed, change, &wrong))
        return;
    kiln_call_fail_error(change->asked->call, error != NULL ? error : wrong);
    vcpu_change_free(change);
}

static void
on_set_guest_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_guest_vcpus_args *args = data;
    KilnGuest *guest;
    VcpuChange *change;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->state != 0 && args->state != 1) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unsupported state value");
        return;
    }
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL)
        return;
    change = g_new0(VcpuChange, 1);
    change->asked = asked_new(call, guest);
    change->online = args->state != 0;
    if (!parse_set(args->cpumap, change->set))
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "Failed to parse bitmap '%s'", args->cpumap);
    else if (kiln_ops_agent_ask(call, &args->dom, "guest-get-vcpus", NULL, on_vcpus_known, change))
        return;
    vcpu_change_free(change);
}

/* ---- DOMAIN_GET_GUEST_INFO ---- */

typedef struct {
    Asked *asked;
    guint types;       /* still to be asked for */
    gboolean explicit; /* the caller named them: what the agent does not know is an error then */
    guint step;        /* under way */
    KilnParams params;
} GuestInfo;

G_GNUC_PRINTF(1, 2)
static const char *
field(const char *format, ...)
{
    static char name[VIR_TYPED_PARAM_FIELD_LENGTH]; /* main thread; copied by the list */
    va_list arguments;

    va_start(arguments, format);
    g_vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return name;
}

static void
add_text(GuestInfo *info, const char *name, const char *text)
{
    if (text != NULL)
        kiln_params_add_string(&info->params, name, text);
}

static JsonArray *
list_of(JsonNode *answer, GError **error)
{
    JsonArray *list = kiln_json_array(answer);

    if (list == NULL || kiln_json_length(list) > LIST_MAX) {
        malformed(error, "a list");
        return NULL;
    }
    return list;
}

static gboolean
add_users(GuestInfo *info, JsonNode *answer, GError **error)
{
    JsonArray *list = list_of(answer, error);

    if (list == NULL)
        return FALSE;
    kiln_params_add_uint(&info->params, "user.count", kiln_json_length(list));
    for (guint i = 0; i < kiln_json_length(list); i++) {
        JsonObject *user = kiln_json_object_at(list, i);
        double login = 0;

        if (kiln_json_text(user, "user") == NULL || !kiln_json_double(user, "login-time", &login))
            return malformed(error, "guest-get-users");
        add_text(info, field("user.%u.name", i), kiln_json_text(user, "user"));
        add_text(info, field("user.%u.domain", i), kiln_json_text(user, "domain"));
        kiln_params_add_ullong(&info->params, field("user.%u.login-time", i),
                               login >= 0 && login < 1e15 ? (guint64)(login * 1000) : 0);
    }
    return TRUE;
}

static gboolean
add_os(GuestInfo *info, JsonNode *answer, GError **error)
{
    static const char *const names[] = {
        "id",      "name",    "pretty-name", "version",        "version-id",
        "machine", "variant", "variant-id",  "kernel-release", "kernel-version"
    };
    JsonObject *os = kiln_json_object(answer);

    if (os == NULL)
        return malformed(error, "guest-get-osinfo");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        add_text(info, field("os.%s", names[i]), kiln_json_text(os, names[i]));
    return TRUE;
}

static gboolean
add_timezone(GuestInfo *info, JsonNode *answer, GError **error)
{
    JsonObject *zone = kiln_json_object(answer);
    gint64 offset = 0;

    if (!kiln_json_int(zone, "offset", &offset) || offset != (gint32)offset)
        return malformed(error, "guest-get-timezone");
    add_text(info, "timezone.name", kiln_json_text(zone, "zone"));
    kiln_params_add_int(&info->params, "timezone.offset", (gint32)offset);
    return TRUE;
}

static gboolean
add_hostname(GuestInfo *info, JsonNode *answer, GError **error)
{
    const char *name = kiln_json_text(kiln_json_object(answer), "host-name");

    if (name == NULL)
        return malformed(error, "guest-get-host-name");
    add_text(info, "hostname", name);
    return TRUE;
}

static void
add_fs_disks(GuestInfo *info, JsonArray *disks, guint i)
{
    const KilnDomain *domain = kiln_guest_live(info->asked->guest);

    kiln_params_add_uint(&info->params, field("fs.%u.disk.count", i), kiln_json_length(disks));
    for (guint j = 0; j < kiln_json_length(disks) && info->params.n <= LIST_MAX; j++) {
        JsonObject *disk = kiln_json_object_at(disks, j);

        add_text(info, field("fs.%u.disk.%u.alias", i, j), kiln_ops_agent_disk(domain, disk));
        add_text(info, field("fs.%u.disk.%u.serial", i, j), kiln_json_text(disk, "serial"));
        add_text(info, field("fs.%u.disk.%u.device", i, j), kiln_json_text(disk, "dev"));
    }
}

static gboolean
add_filesystems(GuestInfo *info, JsonNode *answer, GError **error)
{
    JsonArray *list = list_of(answer, error);
    guint n = kiln_json_length(list);

    if (n > 0)
        kiln_params_add_uint(&info->params, "fs.count", n);
    for (guint i = 0; i < n && info->params.n <= LIST_MAX; i++) {
        JsonObject *fs = kiln_json_object_at(list, n - 1 - i);
        JsonArray *disks = kiln_json_list(fs, "disk");
        guint64 bytes = 0;

        if (kiln_json_text(fs, "name") == NULL || kiln_json_text(fs, "mountpoint") == NULL ||
            kiln_json_text(fs, "type") == NULL || disks == NULL)
            return malformed(error, "guest-get-fsinfo");
        add_text(info, field("fs.%u.name", i), kiln_json_text(fs, "name"));
        add_text(info, field("fs.%u.mountpoint", i), kiln_json_text(fs, "mountpoint"));
        add_text(info, field("fs.%u.fstype", i), kiln_json_text(fs, "type"));
        if (kiln_json_unsigned(fs, "total-bytes", &bytes))
            kiln_params_add_ullong(&info->params, field("fs.%u.total-bytes", i), bytes);
        if (kiln_json_unsigned(fs, "used-bytes", &bytes))
            kiln_params_add_ullong(&info->params, field("fs.%u.used-bytes", i), bytes);
        add_fs_disks(info, disks, i);
    }
    return list != NULL;
}

static gboolean
add_disks(GuestInfo *info, JsonNode *answer, GError **error)
{
    const KilnDomain *domain = kiln_guest_live(info->asked->guest);
    JsonArray *list = list_of(answer, error);
    guint n = kiln_json_length(list);

    if (n > 0)
        kiln_params_add_uint(&info->params, "disk.count", n);
    for (guint i = 0; i < n && info->params.n <= LIST_MAX; i++) {
        JsonObject *disk = kiln_json_object_at(list, i);
        JsonArray *needs = kiln_json_list(disk, "dependencies");
        JsonObject *address = kiln_json_object(kiln_json_member(disk, "address"));
        gboolean partition = FALSE;

        if (kiln_json_text(disk, "name") == NULL ||
            !kiln_json_boolean(disk, "partition", &partition))
            return malformed(error, "guest-get-disks");
        add_text(info, field("disk.%u.name", i), kiln_json_text(disk, "name"));
        kiln_params_add_boolean(&info->params, field("disk.%u.partition", i), partition);
        if (kiln_json_length(needs) > 0)
            kiln_params_add_uint(&info->params, field("disk.%u.dependency.count", i),
                                 kiln_json_length(needs));
        for (guint j = 0; j < kiln_json_length(needs) && info->params.n <= LIST_MAX; j++)
            add_text(info, field("disk.%u.dependency.%u.name", i, j), kiln_json_text_at(needs, j));
        add_text(info, field("disk.%u.serial", i), kiln_json_text(address, "serial"));
        add_text(info, field("disk.%u.alias", i), kiln_ops_agent_disk(domain, address));
        add_text(info, field("disk.%u.guest_alias", i), kiln_json_text(disk, "alias"));
    }
    return list != NULL;
}

static void
add_interface_params(GuestInfo *info, const remote_domain_interface *is, guint i)
{
    add_text(info, field("if.%u.name", i), is->name);
    add_text(info, field("if.%u.hwaddr", i), is->hwaddr != NULL ? *is->hwaddr : NULL);
    kiln_params_add_uint(&info->params, field("if.%u.addr.count", i), is->addrs.addrs_len);
    for (guint j = 0; j < is->addrs.addrs_len && info->params.n <= LIST_MAX; j++) {
        const remote_domain_ip_addr *address = &is->addrs.addrs_val[j];

        add_text(info, field("if.%u.addr.%u.type", i, j),
                 address->type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" : "ipv4");
        add_text(info, field("if.%u.addr.%u.addr", i, j), address->addr);
        kiln_params_add_uint(&info->params, field("if.%u.addr.%u.prefix", i, j), address->prefix);
    }
}

static gboolean
add_interfaces(GuestInfo *info, JsonNode *answer, GError **error)
{
    remote_domain_interface_addresses_ret ret = { { 0 } };
    gboolean good = kiln_ops_agent_interfaces(answer, &ret, error);

    if (good && ret.ifaces.ifaces_len > 0)
        kiln_params_add_uint(&info->params, "if.count", ret.ifaces.ifaces_len);
    for (guint i = 0; good && i < ret.ifaces.ifaces_len && info->params.n <= LIST_MAX; i++)
        add_interface_params(info, &ret.ifaces.ifaces_val[i], i);
    xdr_free((xdrproc_t)xdr_remote_domain_interface_addresses_ret, (char *)&ret);
    return good;
}

static const struct {
    guint type;
    const char *command;
    gboolean (*add)(GuestInfo *info, JsonNode *answer, GError **error);
} steps[] = {
    { VIR_DOMAIN_GUEST_INFO_USERS, "guest-get-users", add_users },
    { VIR_DOMAIN_GUEST_INFO_OS, "guest-get-osinfo", add_os },
    { VIR_DOMAIN_GUEST_INFO_TIMEZONE, "guest-get-timezone", add_timezone },
    { VIR_DOMAIN_GUEST_INFO_HOSTNAME, "guest-get-host-name", add_hostname },
    { VIR_DOMAIN_GUEST_INFO_FILESYSTEM, "guest-get-fsinfo", add_filesystems },
    { VIR_DOMAIN_GUEST_INFO_DISKS, "guest-get-disks", add_disks },
    { VIR_DOMAIN_GUEST_INFO_INTERFACES, "guest-network-get-interfaces", add_interfaces },
};

static void
end_info(GuestInfo *info, const GError *error)
{
    remote_domain_get_guest_info_ret ret = { { 0 } };

    ret.params.params_len = info->params.n;
    ret.params.params_val = info->params.values;
    if (error != NULL)
        kiln_call_fail_error(info->asked->call, error);
    else if (info->params.n > REMOTE_DOMAIN_GUEST_INFO_PARAMS_MAX)
        kiln_call_fail(info->asked->call, VIR_ERR_RPC,
                       "Too many guest info parameters for an answer");
    else
        kiln_call_reply(info->asked->call, &ret);
    kiln_params_clear(&info->params);
    asked_free(info->asked);
    g_free(info);
}

static void on_info_answer(JsonNode *answer, const GError *error, gpointer data);

static void
next_step(GuestInfo *info)
{
    g_autoptr(GError) error = NULL;

    for (; info->step < G_N_ELEMENTS(steps); info->step++) {
        if ((info->types & steps[info->step].type) == 0)
            continue;
        if (!kiln_ops_agent_ask_guest(info->asked->guest, steps[info->step].command, NULL,
                                      on_info_answer, info, &error))
            break;
        return;
    }
    end_info(info, error);
}

static void
on_info_answer(JsonNode *answer, const GError *error, gpointer data)
{
    GuestInfo *info = data;
    g_autoptr(GError) wrong = NULL;
    gboolean skip = error != NULL && !info->explicit &&
                    g_error_matches(error, KILN_VIR_ERROR, VIR_ERR_OPERATION_UNSUPPORTED);

    if (error != NULL && !skip) {
        end_info(info, error);
        return;
    }
    if (!skip && !steps[info->step].add(info, answer, &wrong)) {
        end_info(info, wrong);
        return;
    }
    info->step++;
    next_step(info);
}

static void
on_get_guest_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_guest_info_args *args = data;
    GuestInfo *info;
    KilnGuest *guest;
    guint known = 0;

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++)
        known |= steps[i].type;
    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if ((args->types & ~known) != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unsupported guest information types '0x%x'",
                       args->types & ~known);
        return;
    }
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL)
        return;
    info = g_new0(GuestInfo, 1);
    info->asked = asked_new(call, guest);
    info->types = args->types != 0 ? args->types : known;
    info->explicit = args->types != 0;
    kiln_params_init(&info->params);
    next_step(info);
}

#define WRITE KILN_ACCESS_WRITE

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_FSINFO, domain_get_fsinfo, WRITE, on_get_fsinfo),
    KILN_PROC(DOMAIN_GET_GUEST_VCPUS, domain_get_guest_vcpus, WRITE, on_get_guest_vcpus),
    KILN_PROC_ARGS(DOMAIN_SET_GUEST_VCPUS, domain_set_guest_vcpus, WRITE, on_set_guest_vcpus),
    KILN_PROC(DOMAIN_GET_GUEST_INFO, domain_get_guest_info, WRITE, on_get_guest_info),
};

const KilnProcedureTable kiln_ops_agent_info = { rows, G_N_ELEMENTS(rows) };
