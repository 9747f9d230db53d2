/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling the observers what happened. */
#include "guest/guest-private.h"

#include <libvirt/libvirt.h>

typedef struct {
    KilnGuestObserver observer;
    gpointer data;
} Observer;

void
kiln_guest_list_observe(KilnGuestList *list, KilnGuestObserver observer, gpointer data)
{
    Observer added = { observer, data };

    if (list->observers == NULL)
        list->observers = g_array_new(FALSE, FALSE, sizeof(Observer));
    g_array_append_val(list->observers, added);
}

void
kiln_guest_tell(KilnGuest *guest, const KilnGuestNews *news)
{
    const KilnGuestList *list = guest->list;

    if (list == NULL || list->observers == NULL || list->closing)
        return;
    for (guint i = 0; i < list->observers->len; i++) {
        const Observer *observer = &g_array_index(list->observers, Observer, i);

        observer->observer(guest, news, observer->data);
    }
}

void
kiln_guest_tell_lifecycle(KilnGuest *guest, int type, int detail)
{
    const KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                 .type = type,
                                 .detail = detail };

    kiln_guest_tell(guest, &news);
}
