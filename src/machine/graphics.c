/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <graphics type='vnc'>: the VNC server, where it listens, and what the live definition says of it.
 */
#include "base/error.h"
#include "base/module.h"
#include "domain/domain.h"
#include "machine/devices.h"
#include "machine/private.h"

static const KilnVncModule *vnc_module; /* once it is loaded */

/* ---- who looks ---------------------------------------------------------------------------------
 */

static void
on_event(void *data, KilnVncEvent event, const KilnVncPeer *peer)
{
    static const char *const phases[] = {
        [KILN_VNC_CONNECTED] = "connect",
        [KILN_VNC_INITIALIZED] = "initialize",
        [KILN_VNC_DISCONNECTED] = "disconnect",
    };
    KilnMachine *machine = data;
    const KilnMachineGraphicsEvent told = {
        .phase = phases[event],
        .family = peer->family,
        .node = peer->node,
        .service = peer->service,
        .local_node = peer->local_node,
        .local_service = peer->local_service,
        .scheme = peer->scheme,
        .x509_name = peer->x509_name,
    };

    machine->graphics_event = &told;
    kiln_machine_emit(machine, KILN_EVENT_GRAPHICS);
    machine->graphics_event = NULL;
}

const KilnMachineGraphicsEvent *
kiln_machine_graphics_event(const KilnMachine *machine)
{
    return machine->graphics_event;
}

/* powerControl='yes' */
static void
on_power(void *data, char what)
{
    KilnMachine *machine = data;

    switch (what) {
    case 's': (void)kiln_machine_shutdown(machine, NULL); break;
    case 'b': (void)kiln_machine_reboot(machine, NULL); break;
    default: (void)kiln_machine_reset(machine, NULL); break;
    }
}

/* ---- passwords ---------------------------------------------------------------------------------
 */

/* UTC, as libvirt has it.  Returns: FALSE with @error set. */
static gboolean
parse_valid_to(const char *text, gint64 *seconds, GError **error)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = NULL;

    *seconds = 0;
    if (text == NULL)
        return TRUE;
    time = g_date_time_new_from_iso8601(text, utc);
    if (time == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "passwdValidTo '%s' is no time", text);
    *seconds = MAX(g_date_time_to_unix(time), 1);
    return TRUE;
}

static KilnGraphics *
vnc_of(const KilnMachine *machine)
{
    return g_ptr_array_index(machine->domain->graphics, 0);
}

gboolean
kiln_machine_set_graphics_password(KilnMachine *machine, const char *password, const char *valid_to,
                                   GError **error)
{
    KilnGraphics *graphics;
    gint64 seconds;

    if (machine->vnc == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "the guest has no VNC server");
    if (!parse_valid_to(valid_to, &seconds, error))
        return FALSE;
    vnc_module->set_password(machine->vnc, password, seconds);
    graphics = vnc_of(machine);
    g_free(graphics->password);
    graphics->password = g_strdup(password);
    g_free(graphics->password_valid_to);
    graphics->password_valid_to = g_strdup(valid_to);
    kiln_machine_emit(machine, KILN_EVENT_DEFINITION);
    return TRUE;
}

gboolean
kiln_machine_open_graphics(KilnMachine *machine, guint index, int fd, gboolean let_in,
                           GError **error)
{
    if (machine->vnc == NULL || index != 0) {
        kiln_fd_clear(&fd);
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no <graphics> %u", index);
    }
    vnc_module->add_client(machine->vnc, fd, let_in);
    return TRUE;
}

/* ---- where it listens --------------------------------------------------------------------------
 */

#define DEFAULT_ADDRESS "127.0.0.1" /* libvirt's vnc_listen */

static gboolean
listen_tcp(KilnMachine *machine, KilnGraphics *graphics, KilnGraphicsListen *listen, GError **error)
{
    const char *address =
        listen != NULL && listen->address != NULL ? listen->address : graphics->listen;
    gboolean any = !graphics->port.set || graphics->port.value <= 0;
    guint first = any ? KILN_VNC_FIRST_PORT : (guint)graphics->port.value;
    guint port;

    if (address == NULL)
        address = DEFAULT_ADDRESS;
    port = vnc_module->listen_tcp(machine->vnc, address, first, any ? KILN_VNC_LAST_PORT : first,
                                  error);
    if (port == 0)
        return FALSE;
    graphics->port = (KilnInt){ .set = TRUE, .value = (gint64)port };
    if (any)
        graphics->autoport = KILN_SWITCH_ON;
    if (listen != NULL && listen->address == NULL)
        listen->address = g_strdup(address);
    if (graphics->listen == NULL)
        graphics->listen = g_strdup(address);
    return TRUE;
}

/* A socket without a place is beside the control sockets. */
static gboolean
listen_unix(KilnMachine *machine, char **path, GError **error)
{
    if (*path == NULL) {
        g_autofree char *file = g_strdup_printf("%s-vnc.sock", machine->domain->name);

        if (machine->options.socket_dir == NULL)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a socket has no path");
        *path = g_build_filename(machine->options.socket_dir, g_strdelimit(file, "/", '_'), NULL);
    }
    return vnc_module->listen_unix(machine->vnc, *path, error);
}

static gboolean
listen(KilnMachine *machine, KilnGraphics *graphics, GError **error)
{
    if (graphics->autoport == KILN_SWITCH_ON)
        graphics->port.set = FALSE; /* one of an earlier run: libvirt forgets it too */
    if (graphics->socket != NULL)
        return listen_unix(machine, &graphics->socket, error);
    if (graphics->listens->len == 0)
        return listen_tcp(machine, graphics, NULL, error);
    for (guint i = 0; i < graphics->listens->len; i++) {
        KilnGraphicsListen *one = g_ptr_array_index(graphics->listens, i);

        switch (one->type) {
        case KILN_GRAPHICS_LISTEN_TYPE_SOCKET:
            if (!listen_unix(machine, &one->socket, error))
                return FALSE;
            break;
        case KILN_GRAPHICS_LISTEN_TYPE_NONE: break;
        default:
            if (!listen_tcp(machine, graphics, one, error))
                return FALSE;
        }
    }
    return TRUE;
}

/* ---- build -------------------------------------------------------------------------------------
 */

static KilnVncSharing
sharing_of(const KilnGraphics *graphics)
{
    switch (graphics->share_policy) {
    case KILN_GRAPHICS_SHARE_POLICY_FORCE_SHARED: return KILN_VNC_FORCE_SHARED;
    case KILN_GRAPHICS_SHARE_POLICY_IGNORE: return KILN_VNC_IGNORE;
    default: return KILN_VNC_ALLOW_EXCLUSIVE;
    }
}

static gboolean
build_vnc(KilnMachine *machine, KilnGraphics *graphics, GError **error)
{
    KilnVncOptions options = {
        .name = machine->domain->name,
        .surface = machine->surfaces->len > 0 ? g_ptr_array_index(machine->surfaces, 0) : NULL,
        .inputs = kiln_machine_inputs(machine),
        .sharing = sharing_of(graphics),
        .password = graphics->password,
        .keymap = graphics->keymap,
        .event = on_event,
        .power = graphics->power_control == KILN_SWITCH_ON ? on_power : NULL,
        .data = machine,
    };

    if (!parse_valid_to(graphics->password_valid_to, &options.valid_to, error))
        return FALSE;
    vnc_module = kiln_module_load(KILN_VNC_MODULE_FILE, KILN_VNC_MODULE_SYMBOL, error);
    if (vnc_module == NULL)
        return FALSE;
    machine->vnc = vnc_module->open(&options, error);
    return machine->vnc != NULL && listen(machine, graphics, error);
}

gboolean
kiln_machine_build_graphics(KilnMachine *machine, GError **error)
{
    if (machine->domain->graphics->len == 0)
        return TRUE;
    if (build_vnc(machine, vnc_of(machine), error))
        return TRUE;
    g_prefix_error(error, "graphics: ");
    return FALSE;
}

void
kiln_machine_close_vnc(KilnMachine *machine)
{
    if (machine->vnc != NULL)
        vnc_module->close(g_steal_pointer(&machine->vnc));
}
