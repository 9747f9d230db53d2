/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a domain comes to be there, and goes: define, create, undefine. */
#include "ops/document.h"
#include "ops/driver.h"
#include "ops/lifecycle.h"
#include "ops/tables.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <unistd.h>

/* ---- Define ---- */

/* All answers of this file are one domain. */
typedef remote_domain_define_xml_ret DomainRet;

G_STATIC_ASSERT(sizeof(DomainRet) == sizeof(remote_domain_define_xml_flags_ret));
G_STATIC_ASSERT(sizeof(DomainRet) == sizeof(remote_domain_create_xml_ret));

static void
on_made(KilnGuest *guest, const GError *error, gpointer data)
{
    KilnCall *call = data;
    DomainRet ret = { 0 };

    if (error != NULL) {
        kiln_call_fail_error(call, error);
        return;
    }
    kiln_ops_fill_domain(&ret.dom, guest);
    kiln_call_reply(call, &ret);
}

static void
define_parsed(KilnCall *call, KilnDomain *domain, G_GNUC_UNUSED unsigned flags, const GError *error)
{
    if (error != NULL)
        kiln_call_fail_error(call, error);
    else
        kiln_guest_list_define(kiln_ops_driver(call)->guests, domain, on_made, call);
}

static void
on_define_xml(KilnCall *call, gconstpointer data)
{
    const remote_domain_define_xml_args *args = data;

    kiln_ops_parse(call, args->xml, FALSE, 0, define_parsed);
}

static void
on_define_xml_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_define_xml_flags_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_DEFINE_VALIDATE))
        kiln_ops_parse(call, args->xml, (args->flags & VIR_DOMAIN_DEFINE_VALIDATE) != 0, 0,
                       define_parsed);
}

/* ---- Create ---- */

static void
on_created(KilnGuest *guest, const GError *error, gpointer data)
{
    KilnOpsStart *start = data;

    if (error == NULL)
        kiln_ops_started(start, guest);
    on_made(guest, error, start->call);
    g_free(start);
}

static void
create_parsed(KilnCall *call, KilnDomain *domain, unsigned flags, const GError *error)
{
    KilnGuest *there;

    if (error != NULL) {
        kiln_call_fail_error(call, error);
        return;
    }
    there = kiln_guest_list_by_name(kiln_ops_driver(call)->guests, domain->name);
    if (there != NULL && kiln_guest_is_active(there)) {
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "domain '%s' is already active",
                       domain->name);
        kiln_domain_free(domain);
        return;
    }
    kiln_guest_list_create(kiln_ops_driver(call)->guests, domain, kiln_ops_start_flags(flags),
                           on_created, kiln_ops_start_new(call, flags));
}

static void
on_create_xml(KilnCall *call, gconstpointer data)
{
    const remote_domain_create_xml_args *args = data;

    if (kiln_ops_check_start_flags(call, args->flags, VIR_DOMAIN_START_VALIDATE))
        kiln_ops_parse(call, args->xml_desc, (args->flags & VIR_DOMAIN_START_VALIDATE) != 0,
                       args->flags, create_parsed);
}

/* ---- Undefine ---- */

/* There are no saved images, snapshots and checkpoints to be removed or kept. */
enum {
    UNDEFINE_FLAGS = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                     VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM |
                     VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_TPM |
                     VIR_DOMAIN_UNDEFINE_KEEP_TPM
};

static gboolean
has_tpm_state(KilnGuest *guest)
{
    g_autoptr(KilnDomain) domain = kiln_guest_definition(guest, NULL);

    return domain != NULL && domain->tpms->len > 0;
}

/* The variable store of UEFI firmware goes with its domain if @flags say so; a domain that has one
 * is not undefined by who does not say. */
static gboolean
remove_nvram(KilnGuest *guest, unsigned flags, GError **error)
{
    g_autoptr(KilnDomain) domain = kiln_guest_definition(guest, NULL);
    const char *path = domain != NULL ? domain->os.nvram : NULL;

    if (path == NULL || (flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) != 0 ||
        !g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    if ((flags & VIR_DOMAIN_UNDEFINE_NVRAM) == 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "cannot undefine domain with nvram");
    return unlink(path) == 0 || errno == ENOENT ||
           kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "failed to remove nvram: %s: %s", path,
                              g_strerror(errno));
}

static void
undefine(KilnCall *call, const remote_nonnull_domain *about, unsigned flags)
{
    KilnGuest *guest = kiln_ops_guest(call, about);
    g_autoptr(GError) error = NULL;

    if (guest == NULL)
        return;
    if (!kiln_guest_is_persistent(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
    else if ((flags & VIR_DOMAIN_UNDEFINE_TPM) != 0 && has_tpm_state(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "the state of the TPM of '%s' cannot be removed with it yet",
                       kiln_guest_name(guest));
    else if (!remove_nvram(guest, flags, &error))
        kiln_call_fail_error(call, error);
    else
        kiln_guest_undefine(guest, kiln_ops_done, call);
}

static void
on_undefine(KilnCall *call, gconstpointer data)
{
    const remote_domain_undefine_args *args = data;

    undefine(call, &args->dom, 0);
}

static void
on_undefine_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_undefine_flags_args *args = data;

    if (!kiln_ops_check_flags(call, args->flags, UNDEFINE_FLAGS))
        return;
    if ((args->flags & VIR_DOMAIN_UNDEFINE_NVRAM) != 0 &&
        (args->flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) != 0)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "cannot both keep and delete nvram");
    else if ((args->flags & VIR_DOMAIN_UNDEFINE_TPM) != 0 &&
             (args->flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM) != 0)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "cannot both keep and delete TPM");
    else
        undefine(call, &args->dom, args->flags);
}

static const char with_files[] = "kiln gives no descriptors of a client's to a guest";

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_DEFINE_XML, domain_define_xml, KILN_ACCESS_WRITE, on_define_xml),
    KILN_PROC(DOMAIN_DEFINE_XML_FLAGS, domain_define_xml_flags, KILN_ACCESS_WRITE,
              on_define_xml_flags),
    KILN_PROC(DOMAIN_CREATE_XML, domain_create_xml, KILN_ACCESS_WRITE, on_create_xml),
    KILN_PROC_REFUSED(DOMAIN_CREATE_XML_WITH_FILES, KILN_ACCESS_WRITE, with_files),
    KILN_PROC_REFUSED(DOMAIN_CREATE_WITH_FILES, KILN_ACCESS_WRITE, with_files),
    KILN_PROC_ARGS(DOMAIN_UNDEFINE, domain_undefine, KILN_ACCESS_WRITE, on_undefine),
    KILN_PROC_ARGS(DOMAIN_UNDEFINE_FLAGS, domain_undefine_flags, KILN_ACCESS_WRITE,
                   on_undefine_flags),
};

const KilnProcedureTable kiln_ops_domain_define = { rows, G_N_ELEMENTS(rows) };
