/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See assign.h: what single devices leave open. */
#include "domain/assign.h"

#include <string.h>

/* ---- Disks ----------------------------------------------------------------------------------- */

/* By the name in the guest, as libvirt has it: domain_conf.c's virDiskNameToBusDeviceIndex(). */
static KilnDiskBus
bus_of_name(const char *name)
{
    static const struct {
        const char *prefix;
        KilnDiskBus bus;
    } buses[] = {
        { "vd", KILN_DISK_BUS_VIRTIO },
        { "sd", KILN_DISK_BUS_SCSI },
        { "hd", KILN_DISK_BUS_IDE },
        { "fd", KILN_DISK_BUS_FDC },
    };

    for (guint i = 0; i < G_N_ELEMENTS(buses); i++) {
        if (g_str_has_prefix(name, buses[i].prefix))
            return buses[i].bus;
    }
    return KILN_DISK_BUS_VIRTIO;
}

static void
assign_disks(KilnDomain *domain, KilnFaults *faults)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < domain->disks->len; i++) {
        KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->target_dev == NULL)
            continue;
        if (disk->bus == KILN_DISK_BUS_ABSENT)
            disk->bus = bus_of_name(disk->target_dev);
        if (disk->device == KILN_DISK_DEVICE_CDROM)
            disk->readonly = TRUE;
        if (!g_hash_table_add(names, disk->target_dev))
            kiln_fault_add_at(faults, KILN_FAULT_XML, disk->place, "domain/devices/disk",
                              "another disk has the target '%s'", disk->target_dev);
    }
}

/* ---- Interfaces ------------------------------------------------------------------------------ */

static gboolean
mac_taken(const KilnDomain *domain, const char *mac)
{
    for (guint i = 0; i < domain->interfaces->len; i++) {
        const KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        if (net->mac != NULL && g_ascii_strcasecmp(net->mac, mac) == 0)
            return TRUE;
    }
    return FALSE;
}

/* In the range of QEMU's that libvirt draws from; equal definitions get equal ones. */
static char *
make_mac(const KilnDomain *domain, guint index)
{
    for (guint attempt = 0;; attempt++) {
        g_autofree char *seed = g_strdup_printf("%s/%u/%u", domain->uuid, index, attempt);
        g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, seed, -1);
        g_autofree char *mac =
            g_strdup_printf("52:54:00:%.2s:%.2s:%.2s", digest, digest + 2, digest + 4);

        if (!mac_taken(domain, mac))
            return g_steal_pointer(&mac);
    }
}

static void
assign_interfaces(KilnDomain *domain)
{
    for (guint i = 0; i < domain->interfaces->len; i++) {
        KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        if (net->mac == NULL)
            net->mac = make_mac(domain, i);
        if (net->model == NULL)
            net->model = g_strdup("virtio");
    }
}

/* ---- The others ------------------------------------------------------------------------------ */

/* <iothreads>N without a list means numbers 1 to N; more are found in the list. */
static void
assign_iothreads(KilnDomain *domain)
{
    KilnIothreads *threads = &domain->iothreads;

    if (!threads->count.set || threads->count.value < threads->list->len)
        threads->count = (KilnUint){ .set = threads->list->len > 0 || threads->count.set,
                                     .value = threads->list->len };
}

static gboolean
has_input(const KilnDomain *domain, const KilnInput *like)
{
    for (guint i = 0; i < domain->inputs->len; i++) {
        const KilnInput *input = g_ptr_array_index(domain->inputs, i);

        if (input->type == like->type && input->bus == like->bus)
            return TRUE;
    }
    return FALSE;
}

/* What <graphics> brings along: something to look at, and PS/2 devices for who has no others. */
static void
add_screen(KilnDomain *domain)
{
    static const char *const inputs[] = { "<input type='mouse' bus='ps2'/>",
                                          "<input type='keyboard' bus='ps2'/>" };
    static const char video[] = "<video><model type='vga'/></video>";
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    if (domain->graphics->len == 0)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autoptr(KilnXmlNode) node = kiln_xml_parse(inputs[i], strlen(inputs[i]), faults);
        KilnInput *input = kiln_input_parse(node, faults);

        if (has_input(domain, input))
            kiln_input_free(input);
        else
            g_ptr_array_add(domain->inputs, input);
    }
    if (domain->videos->len == 0) {
        g_autoptr(KilnXmlNode) node = kiln_xml_parse(video, strlen(video), faults);

        g_ptr_array_add(domain->videos, kiln_video_parse(node, faults));
    }
}

/* As libvirt writes them. */
static void
assign_videos(KilnDomain *domain)
{
    enum { VRAM_KIB = 16384 };

    for (guint i = 0; i < domain->videos->len; i++) {
        KilnVideo *video = g_ptr_array_index(domain->videos, i);
        KilnVideoModel *model = &video->model;

        if (model->type == KILN_VIDEO_TYPE_NONE)
            continue;
        if (!model->vram_kib.set && model->type != KILN_VIDEO_TYPE_VIRTIO)
            model->vram_kib = (KilnUint){ .set = TRUE, .value = VRAM_KIB };
        if (!model->heads.set || model->heads.value == 0)
            model->heads = (KilnUint){ .set = TRUE, .value = 1 };
        if (i == 0)
            model->primary = KILN_SWITCH_ON;
    }
}

static void
assign_inputs(KilnDomain *domain)
{
    for (guint i = 0; i < domain->inputs->len; i++) {
        KilnInput *input = g_ptr_array_index(domain->inputs, i);

        if (input->bus == KILN_INPUT_BUS_ABSENT)
            input->bus = input->type == KILN_INPUT_TYPE_PASSTHROUGH ? KILN_INPUT_BUS_VIRTIO
                         : input->type == KILN_INPUT_TYPE_TABLET    ? KILN_INPUT_BUS_USB
                                                                    : KILN_INPUT_BUS_PS2;
    }
}

/* Persistent memory that is not is of no use, so its default is not libvirt's, which is that of all
 * memory. */
static void
assign_memories(KilnDomain *domain)
{
    for (guint i = 0; i < domain->memories->len; i++) {
        KilnMemoryDevice *memory = g_ptr_array_index(domain->memories, i);

        if (memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM &&
            memory->access == KILN_MEMORY_DEVICE_ACCESS_ABSENT)
            memory->access = KILN_MEMORY_DEVICE_ACCESS_SHARED;
        if (memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM && !memory->block.set)
            memory->block = (KilnUint){ .set = TRUE, .value = KILN_MEMORY_DEVICE_BLOCK };
    }
}

static void
assign_small_ones(KilnDomain *domain)
{
    for (guint i = 0; i < domain->watchdogs->len; i++) {
        KilnWatchdog *watchdog = g_ptr_array_index(domain->watchdogs, i);

        if (watchdog->action == KILN_WATCHDOG_ACTION_ABSENT)
            watchdog->action = KILN_WATCHDOG_ACTION_RESET;
    }
    for (guint i = 0; i < domain->vsocks->len; i++) {
        KilnVsock *vsock = g_ptr_array_index(domain->vsocks, i);

        if (!vsock->cid.set && vsock->cid_auto == KILN_SWITCH_ABSENT)
            vsock->cid_auto = KILN_SWITCH_ON;
    }
    for (guint i = 0; i < domain->tpms->len; i++) {
        KilnTpm *tpm = g_ptr_array_index(domain->tpms, i);

        if (tpm->model == KILN_TPM_MODEL_ABSENT)
            tpm->model = KILN_TPM_MODEL_TPM_CRB;
        if (tpm->backend.type == KILN_TPM_BACKEND_TYPE_EMULATOR &&
            tpm->backend.version == KILN_TPM_VERSION_ABSENT)
            tpm->backend.version = KILN_TPM_VERSION_2_0;
    }
}

void
kiln_assign_devices(KilnDomain *domain, KilnFaults *faults)
{
    assign_iothreads(domain);
    assign_disks(domain, faults);
    assign_interfaces(domain);
    assign_inputs(domain);
    add_screen(domain);
    assign_videos(domain);
    assign_memories(domain);
    assign_small_ones(domain);
}
