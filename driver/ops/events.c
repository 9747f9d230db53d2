/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens to a domain (guest/list.h), as the message of that event. */
#include "rpc/events.h"
#include "ops/driver.h"
#include "ops/lifecycle.h"
#include "ops/tune.h"

#include <libvirt/libvirt.h>

/* Where a news' parts go; one function an event, all of one form. */
typedef union {
    remote_domain_event_callback_lifecycle_msg lifecycle;
    remote_domain_event_callback_reboot_msg reboot;
    remote_domain_event_callback_rtc_change_msg rtc_change;
    remote_domain_event_callback_watchdog_msg watchdog;
    remote_domain_event_callback_io_error_msg io_error;
    remote_domain_event_callback_io_error_reason_msg io_error_reason;
    remote_domain_event_callback_control_error_msg control_error;
    remote_domain_event_callback_disk_change_msg disk_change;
    remote_domain_event_callback_tray_change_msg tray_change;
    remote_domain_event_callback_balloon_change_msg balloon_change;
    remote_domain_event_callback_device_removed_msg device_removed;
    remote_domain_event_callback_device_added_msg device_added;
    remote_domain_event_callback_device_removal_failed_msg removal_failed;
    remote_domain_event_callback_agent_lifecycle_msg agent_lifecycle;
    remote_domain_event_callback_metadata_change_msg metadata_change;
    remote_domain_event_block_threshold_msg block_threshold;
    remote_domain_event_memory_failure_msg memory_failure;
    remote_domain_event_memory_device_size_change_msg memory_device_size;
    remote_domain_event_callback_job_completed_msg job_completed;
} Message;

/* Texts that the wire must have. */
static char *
text(const KilnGuestNews *news, guint i)
{
    return (char *)(news->texts[i] != NULL ? news->texts[i] : "");
}

/* Texts that may be absent: @holder is what the message points at. */
static remote_string
optional(const KilnGuestNews *news, guint i, char **holder)
{
    *holder = (char *)news->texts[i];
    return *holder != NULL ? holder : NULL;
}

/* Returns: FALSE for an event that nothing here causes. */
static gboolean
fill_device_event(Message *message, const KilnGuestNews *news, const remote_nonnull_domain *about,
                  char *holders[2])
{
    switch (news->event_id) {
    case VIR_DOMAIN_EVENT_ID_DISK_CHANGE:
        message->disk_change.msg.dom = *about;
        message->disk_change.msg.devAlias = text(news, 0);
        message->disk_change.msg.oldSrcPath = optional(news, 1, &holders[0]);
        message->disk_change.msg.newSrcPath = optional(news, 2, &holders[1]);
        message->disk_change.msg.reason = news->type;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_TRAY_CHANGE:
        message->tray_change.msg.dom = *about;
        message->tray_change.msg.devAlias = text(news, 0);
        message->tray_change.msg.reason = news->type;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED:
        message->device_removed.msg.dom = *about;
        message->device_removed.msg.devAlias = text(news, 0);
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_DEVICE_ADDED:
        message->device_added.dom = *about;
        message->device_added.devAlias = text(news, 0);
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED:
        message->removal_failed.dom = *about;
        message->removal_failed.devAlias = text(news, 0);
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD:
        message->block_threshold.dom = *about;
        message->block_threshold.dev = text(news, 0);
        message->block_threshold.path = optional(news, 1, &holders[0]);
        message->block_threshold.threshold = (guint64)news->numbers[0];
        message->block_threshold.excess = (guint64)news->numbers[1];
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE:
        message->memory_device_size.dom = *about;
        message->memory_device_size.alias = text(news, 0);
        message->memory_device_size.size = (guint64)news->numbers[0];
        return TRUE;
    default: return FALSE;
    }
}

static gboolean
fill_error_event(Message *message, const KilnGuestNews *news, const remote_nonnull_domain *about)
{
    switch (news->event_id) {
    case VIR_DOMAIN_EVENT_ID_WATCHDOG:
        message->watchdog.msg.dom = *about;
        message->watchdog.msg.action = news->type;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_IO_ERROR:
        message->io_error.msg.dom = *about;
        message->io_error.msg.srcPath = text(news, 0);
        message->io_error.msg.devAlias = text(news, 1);
        message->io_error.msg.action = news->type;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON:
        message->io_error_reason.msg.dom = *about;
        message->io_error_reason.msg.srcPath = text(news, 0);
        message->io_error_reason.msg.devAlias = text(news, 1);
        message->io_error_reason.msg.reason = text(news, 2);
        message->io_error_reason.msg.action = news->type;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_CONTROL_ERROR: message->control_error.msg.dom = *about; return TRUE;
    case VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE:
        message->memory_failure.dom = *about;
        message->memory_failure.recipient = news->type;
        message->memory_failure.action = news->detail;
        message->memory_failure.flags = (unsigned)news->numbers[0];
        return TRUE;
    default: return FALSE;
    }
}

static gboolean
fill(Message *message, const KilnGuestNews *news, const remote_nonnull_domain *about,
     char *holders[2])
{
    switch (news->event_id) {
    case VIR_DOMAIN_EVENT_ID_LIFECYCLE:
        message->lifecycle.msg.dom = *about;
        message->lifecycle.msg.event = news->type;
        message->lifecycle.msg.detail = news->detail;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_REBOOT: message->reboot.msg.dom = *about; return TRUE;
    case VIR_DOMAIN_EVENT_ID_RTC_CHANGE:
        message->rtc_change.msg.dom = *about;
        message->rtc_change.msg.offset = news->numbers[0];
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE:
        message->balloon_change.msg.dom = *about;
        message->balloon_change.msg.actual = (guint64)news->numbers[0];
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE:
        message->agent_lifecycle.dom = *about;
        message->agent_lifecycle.state = news->type;
        message->agent_lifecycle.reason = news->detail;
        return TRUE;
    case VIR_DOMAIN_EVENT_ID_METADATA_CHANGE:
        message->metadata_change.dom = *about;
        message->metadata_change.type = news->type;
        message->metadata_change.nsuri = optional(news, 0, &holders[0]);
        return TRUE;
    default:
        return fill_error_event(message, news, about) ||
               fill_device_event(message, news, about, holders);
    }
}

/* Its parts are structures, and a list. */
static void
tell_graphics(const KilnDriver *driver, const KilnGuest *guest, const KilnGuestNews *news)
{
    remote_domain_event_graphics_identity subject = {
        .type = (char *)"x509dname",
        .name = text(news, 5),
    };
    remote_domain_event_callback_graphics_msg message = {
        .msg = {
            .phase = news->type,
            .local = { news->detail, text(news, 0), text(news, 1) },
            .remote = { news->detail, text(news, 2), text(news, 3) },
            .authScheme = text(news, 4),
            .subject = { subject.name[0] != '\0' ? 1 : 0, &subject },
        },
    };

    kiln_ops_fill_domain(&message.msg.dom, guest);
    kiln_events_emit(driver->server, VIR_DOMAIN_EVENT_ID_GRAPHICS, kiln_guest_uuid(guest),
                     &message);
}

static void
on_news(KilnGuest *guest, const KilnGuestNews *news, gpointer data)
{
    const KilnDriver *driver = data;
    remote_nonnull_domain about;
    Message message = { 0 };
    char *holders[2];

    if (news->event_id == VIR_DOMAIN_EVENT_ID_LIFECYCLE && news->type == VIR_DOMAIN_EVENT_STOPPED)
        kiln_ops_stopped(guest);
    if (news->event_id == VIR_DOMAIN_EVENT_ID_GRAPHICS)
        tell_graphics(driver, guest, news);
    kiln_ops_fill_domain(&about, guest);
    if (fill(&message, news, &about, holders))
        kiln_events_emit(driver->server, news->event_id, kiln_guest_uuid(guest), &message);
}

void
kiln_ops_tell_tuned(KilnCall *call, const KilnGuest *guest, const KilnParams *params)
{
    remote_domain_event_callback_tunable_msg message = {
        .params = { params->n, params->values },
    };

    kiln_ops_fill_domain(&message.dom, guest);
    kiln_events_emit(kiln_ops_driver(call)->server, VIR_DOMAIN_EVENT_ID_TUNABLE,
                     kiln_guest_uuid(guest), &message);
}

void
kiln_ops_watch(KilnDriver *driver)
{
    kiln_guest_list_observe(driver->guests, on_news, driver);
}
