/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What most handlers need: the domain that a call is about, its flags, its end. */
#include "ops/driver.h"

#include <libvirt/libvirt.h>
#include <string.h>

KilnDriver *
kiln_ops_driver(const KilnCall *call)
{
    return kiln_call_driver(call);
}

/* Room for a uuid as text. */
enum { UUID_TEXT = 37 };

static const char *
uuid_text(const guint8 *uuid, char text[UUID_TEXT])
{
    char *end = text;

    for (guint i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *end++ = '-';
        g_snprintf(end, 3, "%02x", uuid[i]);
        end += 2;
    }
    return text;
}

KilnGuest *
kiln_ops_guest(KilnCall *call, const remote_nonnull_domain *about)
{
    const guint8 *uuid = (const guint8 *)about->uuid;
    KilnGuest *guest = kiln_guest_list_by_uuid(kiln_ops_driver(call)->guests, uuid);
    char text[UUID_TEXT];

    if (guest == NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)",
                       uuid_text(uuid, text), about->name);
    return guest;
}

KilnGuest *
kiln_ops_active_guest(KilnCall *call, const remote_nonnull_domain *about)
{
    KilnGuest *guest = kiln_ops_guest(call, about);

    if (guest == NULL || kiln_guest_is_active(guest))
        return guest;
    kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "domain is not running");
    return NULL;
}

void
kiln_ops_fill_domain(remote_nonnull_domain *about, const KilnGuest *guest)
{
    about->name = (char *)kiln_guest_name(guest);
    memcpy(about->uuid, kiln_guest_uuid(guest), sizeof about->uuid);
    about->id = kiln_guest_id(guest);
}

const KilnDomain *
kiln_ops_document(KilnCall *call, KilnGuest *guest, gboolean config, KilnDomain **owned)
{
    const KilnDomain *live = config ? NULL : kiln_guest_live(guest);
    g_autoptr(GError) error = NULL;

    *owned = NULL;
    if (live != NULL)
        return live;
    *owned = kiln_guest_definition(guest, &error);
    if (*owned == NULL)
        kiln_call_fail_error(call, error);
    return *owned;
}

gboolean
kiln_ops_affects(KilnCall *call, KilnGuest *guest, unsigned flags, gboolean *live, gboolean *config)
{
    g_autoptr(GError) error = NULL;

    if (kiln_guest_affects(guest, flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG), live,
                           config, &error))
        return TRUE;
    kiln_call_fail_error(call, error);
    return FALSE;
}

gboolean
kiln_ops_check_flags(KilnCall *call, unsigned flags, unsigned known)
{
    if ((flags & ~known) == 0)
        return TRUE;
    kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", flags & ~known);
    return FALSE;
}

gboolean
kiln_ops_exclusive_flags(KilnCall *call, unsigned flags, unsigned one, const char *one_name,
                         unsigned other, const char *other_name)
{
    if ((flags & one) == 0 || (flags & other) == 0)
        return TRUE;
    kiln_call_fail(call, VIR_ERR_INVALID_ARG, "flags '%s' and '%s' are mutually exclusive",
                   one_name, other_name);
    return FALSE;
}

void
kiln_ops_done(G_GNUC_UNUSED KilnGuest *guest, const GError *error, gpointer call)
{
    if (error != NULL)
        kiln_call_fail_error(call, error);
    else
        kiln_call_reply(call, NULL);
}

void
kiln_ops_answered(KilnGuest *guest, G_GNUC_UNUSED GVariant *answer, G_GNUC_UNUSED GUnixFDList *fds,
                  const GError *error, gpointer call)
{
    kiln_ops_done(guest, error, call);
}
