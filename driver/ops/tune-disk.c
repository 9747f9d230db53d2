/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a guest's disks may be: by device of the host (<blkiotune>, io.weight and io.max of the
 * cgroup), and by disk of the guest (<iotune>).
 */
#include "domain/edit.h"
#include "ops/cgroup.h"
#include "ops/tables.h"
#include "ops/tune.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* ---- By device of the host: "PATH,VALUE,PATH,VALUE" ---- */

static const KilnParamRule blkio_rules[] = {
    { VIR_DOMAIN_BLKIO_WEIGHT, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BLKIO_DEVICE_WEIGHT, VIR_TYPED_PARAM_STRING, FALSE },
    { VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS, VIR_TYPED_PARAM_STRING, FALSE },
    { VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS, VIR_TYPED_PARAM_STRING, FALSE },
    { VIR_DOMAIN_BLKIO_DEVICE_READ_BPS, VIR_TYPED_PARAM_STRING, FALSE },
    { VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS, VIR_TYPED_PARAM_STRING, FALSE },
    { NULL, 0, FALSE },
};

/* In libvirt's order of an answer.  @key: in io.max (cgroup v2, "IO Interface Files"). */
static const struct {
    const char *field;
    const char *key; /* (nullable) */
    gsize offset;    /* in KilnBlkioDevice, of a KilnUint */
} device_limits[] = {
    { VIR_DOMAIN_BLKIO_DEVICE_WEIGHT, NULL, offsetof(KilnBlkioDevice, weight) },
    { VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS, "riops", offsetof(KilnBlkioDevice, read_iops_sec) },
    { VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS, "wiops", offsetof(KilnBlkioDevice, write_iops_sec) },
    { VIR_DOMAIN_BLKIO_DEVICE_READ_BPS, "rbps", offsetof(KilnBlkioDevice, read_bytes_sec) },
    { VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS, "wbps", offsetof(KilnBlkioDevice, write_bytes_sec) },
};

static KilnUint *
device_limit(KilnBlkioDevice *device, guint i)
{
    return (KilnUint *)(gpointer)((char *)device + device_limits[i].offset);
}

static void
add_device_limits(KilnParams *params, const KilnDomain *domain, guint i)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint j = 0; j < domain->blkiotune.devices->len; j++) {
        KilnBlkioDevice *device = g_ptr_array_index(domain->blkiotune.devices, j);
        const KilnUint *limit = device_limit(device, i);

        if (limit->value != 0)
            g_string_append_printf(text, "%s%s,%" G_GUINT64_FORMAT, text->len > 0 ? "," : "",
                                   device->path, limit->value);
    }
    kiln_params_add_string(params, device_limits[i].field, text->str);
}

/* "default 100", or "100" */
static guint32
live_weight(const KilnGuest *guest, guint32 otherwise)
{
    g_autofree char *text = kiln_cgroup_read(guest, "io.weight");
    const char *number = text;

    if (text == NULL)
        return otherwise;
    if (g_str_has_prefix(text, "default "))
        number += strlen("default ");
    return (guint32)g_ascii_strtoull(number, NULL, 10);
}

static void
on_get_blkio_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_blkio_parameters_args *args = data;
    remote_domain_get_blkio_parameters_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };
    guint32 weight;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    weight = (guint32)view.domain->blkiotune.weight.value;
    kiln_params_add_uint(&params, VIR_DOMAIN_BLKIO_WEIGHT,
                         view.live ? live_weight(guest, weight) : weight);
    for (guint i = 0; i < G_N_ELEMENTS(device_limits); i++)
        add_device_limits(&params, view.domain, i);
    ret.nparams = (int)kiln_ops_limit(&params, args->nparams);
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = (guint)ret.nparams;
    }
    kiln_call_reply(call, &ret);
}

/* @each: called for each pair of @text */
static gboolean
foreach_pair(const char *text, const char *field,
             gboolean (*each)(const char *path, guint64 value, gpointer data, GError **error),
             gpointer data, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    guint n = g_strv_length(words);

    if (n % 2 != 0)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "unable to parse blkio device '%s' '%s'", field, text);
    for (guint i = 0; i < n; i += 2) {
        guint64 value;

        if (words[i][0] != '/' ||
            !g_ascii_string_to_unsigned(words[i + 1], 10, 0, G_MAXUINT64, &value, NULL))
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "invalid value '%s' for parameter "
                                      "'%s' of device '%s'",
                                      words[i + 1], field, words[i]);
        if (!each(words[i], value, data, error))
            return FALSE;
    }
    return TRUE;
}

typedef struct {
    KilnDomain *domain; /* (nullable) */
    KilnGuest *guest;   /* (nullable) */
    guint limit;
} Setting;

static gboolean
set_device_config(const char *path, guint64 value, gpointer data, G_GNUC_UNUSED GError **error)
{
    const Setting *setting = data;
    GPtrArray *devices = setting->domain->blkiotune.devices;
    KilnBlkioDevice *device = NULL;

    for (guint i = 0; i < devices->len && device == NULL; i++) {
        KilnBlkioDevice *one = g_ptr_array_index(devices, i);

        if (strcmp(one->path, path) == 0)
            device = one;
    }
    if (device == NULL) {
        device = g_new0(KilnBlkioDevice, 1);
        device->path = g_strdup(path);
        g_ptr_array_add(devices, device);
    }
    *device_limit(device, setting->limit) = (KilnUint){ value != 0, value };
    return TRUE;
}

static gboolean
set_device_live(const char *path, guint64 value, gpointer data, GError **error)
{
    const Setting *setting = data;
    const char *key = device_limits[setting->limit].key;
    g_autofree char *device = kiln_cgroup_device(path, error);
    g_autofree char *text = NULL;

    if (device == NULL)
        return FALSE;
    if (key == NULL)
        text = g_strdup_printf("%s %" G_GUINT64_FORMAT, device, value == 0 ? 100 : value);
    else if (value == 0)
        text = g_strdup_printf("%s %s=max", device, key);
    else
        text = g_strdup_printf("%s %s=%" G_GUINT64_FORMAT, device, key, value);
    return kiln_cgroup_write(setting->guest, key == NULL ? "io.weight" : "io.max", text, error);
}

/* A device without limits is none. */
static void
drop_empty(GPtrArray *devices)
{
    for (guint i = devices->len; i-- > 0;) {
        KilnBlkioDevice *device = g_ptr_array_index(devices, i);
        gboolean empty = TRUE;

        for (guint j = 0; j < G_N_ELEMENTS(device_limits); j++)
            empty = empty && !device_limit(device, j)->set;
        if (empty)
            kiln_blkio_device_free(g_ptr_array_remove_index(devices, i));
    }
}

static gboolean
set_devices(const Setting *target, const remote_typed_param *values, guint n, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(device_limits); i++) {
        const remote_typed_param *param = kiln_params_find(values, n, device_limits[i].field);
        Setting setting = { target->domain, target->guest, i };

        if (param != NULL &&
            !foreach_pair(param->value.remote_typed_param_value_u.s, param->field,
                          target->domain != NULL ? set_device_config : set_device_live, &setting,
                          error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
set_blkio_config(KilnDomain *domain, G_GNUC_UNUSED const char *device,
                 const remote_typed_param *values, guint n, GError **error)
{
    Setting setting = { domain, NULL, 0 };

    kiln_ops_take(values, n, VIR_DOMAIN_BLKIO_WEIGHT, &domain->blkiotune.weight);
    if (!set_devices(&setting, values, n, error))
        return FALSE;
    drop_empty(domain->blkiotune.devices);
    return TRUE;
}

static gboolean
set_blkio_live(KilnGuest *guest, const remote_typed_param *values, guint n, GError **error)
{
    Setting setting = { NULL, guest, 0 };
    guint64 weight;

    if (kiln_params_get_unsigned(values, n, VIR_DOMAIN_BLKIO_WEIGHT, &weight)) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, weight);

        if (!kiln_cgroup_write(guest, "io.weight", text, error))
            return FALSE;
    }
    return set_devices(&setting, values, n, error);
}

static const KilnTuning blkio_tuning = { blkio_rules, set_blkio_live, set_blkio_config,
                                         "limiting disks" };

static void
on_set_blkio_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_blkio_parameters_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &blkio_tuning, NULL, args->params.params_val,
                  args->params.params_len);
}

/* ---- By disk of the guest ---- */

#define LIMIT(UPPER, member)                                                                       \
    {                                                                                              \
        VIR_DOMAIN_BLOCK_IOTUNE_##UPPER, offsetof(KilnDiskIotune, member)                          \
    }

/* In libvirt's order of an answer, without the name of the group. */
static const struct {
    const char *field;
    gsize offset;
} disk_limits[] = {
    LIMIT(TOTAL_BYTES_SEC, total_bytes_sec),
    LIMIT(READ_BYTES_SEC, read_bytes_sec),
    LIMIT(WRITE_BYTES_SEC, write_bytes_sec),
    LIMIT(TOTAL_IOPS_SEC, total_iops_sec),
    LIMIT(READ_IOPS_SEC, read_iops_sec),
    LIMIT(WRITE_IOPS_SEC, write_iops_sec),
    LIMIT(TOTAL_BYTES_SEC_MAX, total_bytes_sec_max),
    LIMIT(READ_BYTES_SEC_MAX, read_bytes_sec_max),
    LIMIT(WRITE_BYTES_SEC_MAX, write_bytes_sec_max),
    LIMIT(TOTAL_IOPS_SEC_MAX, total_iops_sec_max),
    LIMIT(READ_IOPS_SEC_MAX, read_iops_sec_max),
    LIMIT(WRITE_IOPS_SEC_MAX, write_iops_sec_max),
    LIMIT(SIZE_IOPS_SEC, size_iops_sec),
    LIMIT(TOTAL_BYTES_SEC_MAX_LENGTH, total_bytes_sec_max_length),
    LIMIT(READ_BYTES_SEC_MAX_LENGTH, read_bytes_sec_max_length),
    LIMIT(WRITE_BYTES_SEC_MAX_LENGTH, write_bytes_sec_max_length),
    LIMIT(TOTAL_IOPS_SEC_MAX_LENGTH, total_iops_sec_max_length),
    LIMIT(READ_IOPS_SEC_MAX_LENGTH, read_iops_sec_max_length),
    LIMIT(WRITE_IOPS_SEC_MAX_LENGTH, write_iops_sec_max_length),
};

enum { GROUP_NAME_AT = 13 }; /* in the answer, after size_iops_sec */

static const KilnParamRule iotune_rules[] = {
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_SIZE_IOPS_SEC, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME, VIR_TYPED_PARAM_STRING, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX_LENGTH, VIR_TYPED_PARAM_ULLONG, FALSE },
    { NULL, 0, FALSE },
};

static KilnUint *
disk_limit(KilnDiskIotune *iotune, guint i)
{
    return (KilnUint *)(gpointer)((char *)iotune + disk_limits[i].offset);
}

static void
on_get_block_io_tune(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_block_io_tune_args *args = data;
    remote_domain_get_block_io_tune_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };
    KilnDisk *disk = NULL;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    if (args->disk != NULL) {
        disk = kiln_domain_find_disk(view.domain, *args->disk);
        if (disk == NULL) {
            kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                           "disk '%s' was not found in the domain config", *args->disk);
            return;
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(disk_limits); i++) {
        if (i == GROUP_NAME_AT)
            kiln_params_add_string(&params, VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME,
                                   disk != NULL ? disk->iotune.group_name : NULL);
        kiln_params_add_ullong(&params, disk_limits[i].field,
                               disk != NULL ? disk_limit(&disk->iotune, i)->value : 0);
    }
    ret.nparams = (int)kiln_ops_limit(&params, args->nparams);
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = (guint)ret.nparams;
    }
    kiln_call_reply(call, &ret);
}

/* Limits of one kind that are set together replace all that were: a total or one each for reading
 * and writing. */
static gboolean
check_kinds(const KilnDiskIotune *iotune, GError **error)
{
    if (iotune->total_bytes_sec.value != 0 &&
        (iotune->read_bytes_sec.value != 0 || iotune->write_bytes_sec.value != 0))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "total and read/write of bytes_sec cannot be set at the same "
                                  "time");
    if (iotune->total_iops_sec.value != 0 &&
        (iotune->read_iops_sec.value != 0 || iotune->write_iops_sec.value != 0))
        return kiln_vir_error_set(
            error, VIR_ERR_INVALID_ARG,
            "total and read/write of iops_sec cannot be set at the same time");
    return TRUE;
}

static gboolean
set_iotune_config(KilnDomain *domain, const char *device, const remote_typed_param *values, guint n,
                  GError **error)
{
    const remote_typed_param *group =
        kiln_params_find(values, n, VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME);
    KilnDisk *disk = kiln_domain_find_disk(domain, device);
    KilnDiskIotune wanted = { .group_name = NULL };

    if (disk == NULL)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "missing persistent configuration for disk '%s'", device);
    for (guint i = 0; i < G_N_ELEMENTS(disk_limits); i++) {
        guint64 value;

        if (!kiln_params_get_unsigned(values, n, disk_limits[i].field, &value))
            continue;
        *disk_limit(&wanted, i) = (KilnUint){ value != 0, value };
    }
    if (!check_kinds(&wanted, error))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(disk_limits); i++)
        if (kiln_params_find(values, n, disk_limits[i].field) != NULL)
            *disk_limit(&disk->iotune, i) = *disk_limit(&wanted, i);
    if (wanted.total_bytes_sec.set)
        disk->iotune.read_bytes_sec = disk->iotune.write_bytes_sec = (KilnUint){ FALSE, 0 };
    else if (wanted.read_bytes_sec.set || wanted.write_bytes_sec.set)
        disk->iotune.total_bytes_sec = (KilnUint){ FALSE, 0 };
    if (wanted.total_iops_sec.set)
        disk->iotune.read_iops_sec = disk->iotune.write_iops_sec = (KilnUint){ FALSE, 0 };
    else if (wanted.read_iops_sec.set || wanted.write_iops_sec.set)
        disk->iotune.total_iops_sec = (KilnUint){ FALSE, 0 };
    if (group != NULL) {
        const char *name = group->value.remote_typed_param_value_u.s;

        g_free(disk->iotune.group_name);
        disk->iotune.group_name = name[0] != '\0' ? g_strdup(name) : NULL;
    }
    return TRUE;
}

static const KilnTuning iotune_tuning = { iotune_rules, NULL, set_iotune_config,
                                          "changing the limits of a disk" };

static void
on_set_block_io_tune(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_block_io_tune_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &iotune_tuning, args->disk,
                  args->params.params_val, args->params.params_len);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_BLKIO_PARAMETERS, domain_get_blkio_parameters, KILN_ACCESS_READ,
              on_get_blkio_parameters),
    KILN_PROC_ARGS(DOMAIN_SET_BLKIO_PARAMETERS, domain_set_blkio_parameters, KILN_ACCESS_WRITE,
                   on_set_blkio_parameters),
    KILN_PROC(DOMAIN_GET_BLOCK_IO_TUNE, domain_get_block_io_tune, KILN_ACCESS_READ,
              on_get_block_io_tune),
    KILN_PROC_ARGS(DOMAIN_SET_BLOCK_IO_TUNE, domain_set_block_io_tune, KILN_ACCESS_WRITE,
                   on_set_block_io_tune),
};
const KilnProcedureTable kiln_ops_tune_disk = { rows, G_N_ELEMENTS(rows) };
