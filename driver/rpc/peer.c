/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { STAT_START = 20 }; /* fields of /proc/PID/stat after the program's name: proc(5), field 22 */

guint64
kiln_peer_process_start(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *after = NULL;
    guint64 start = 0;

    if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    /* The name may have spaces and parentheses. */
    after = strrchr(text, ')');
    if (after == NULL)
        return 0;
    fields = g_strsplit(after + 1, " ", STAT_START + 2);
    if (g_strv_length(fields) <= STAT_START ||
        !g_ascii_string_to_unsigned(fields[STAT_START], 10, 0, G_MAXUINT64, &start, NULL))
        return 0;
    return start;
}

gboolean
kiln_peer_identify(int fd, KilnIdentity *identity)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || length != sizeof peer)
        return FALSE;
    *identity = (KilnIdentity){
        .uid = peer.uid,
        .gid = peer.gid,
        .pid = peer.pid,
        .process_start = kiln_peer_process_start(peer.pid),
    };
    return TRUE;
}

gboolean
kiln_peer_has_group(int fd, gid_t group)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof peer;
    g_autofree gid_t *groups = NULL;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.gid == group)
        return TRUE;
    length = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &length) == 0 || errno != ERANGE)
        return FALSE;
    groups = g_malloc(length);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
        return FALSE;
    for (gsize i = 0; i < length / sizeof *groups; i++) {
        if (groups[i] == group)
            return TRUE;
    }
    return FALSE;
}
