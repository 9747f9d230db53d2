/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tpm-wire.h. */
#include "device/tpm-wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "device/tpm-emulator.h"

/* swtpm 0.7, include/swtpm/tpm_ioctl.h. */
enum {
    CMD_GET_CAPABILITY = 1,
    CMD_INIT = 2,
    CMD_SHUTDOWN = 3,
    CMD_GET_TPMESTABLISHED = 4,
    CMD_SET_LOCALITY = 5,
    CMD_CANCEL_TPM_CMD = 9,
    CMD_RESET_TPMESTABLISHED = 11,
    CMD_GET_STATEBLOB = 12,
    CMD_SET_STATEBLOB = 13,
    CMD_STOP = 14,
    CMD_SET_DATAFD = 16,
    CMD_SET_BUFFERSIZE = 17,

    CAP_INIT = 1 << 0,
    CAP_SHUTDOWN = 1 << 1,
    CAP_GET_TPMESTABLISHED = 1 << 2,
    CAP_SET_LOCALITY = 1 << 3,
    CAP_CANCEL_TPM_CMD = 1 << 5,
    CAP_STOP = 1 << 10,
    CAP_GET_STATEBLOB = 1 << 8,
    CAP_SET_STATEBLOB = 1 << 9,
    CAP_SET_DATAFD = 1 << 12,
    CAP_SET_BUFFERSIZE = 1 << 13,
    CAPS_NEEDED = CAP_INIT | CAP_SHUTDOWN | CAP_GET_TPMESTABLISHED | CAP_SET_LOCALITY |
                  CAP_CANCEL_TPM_CMD | CAP_STOP | CAP_GET_STATEBLOB | CAP_SET_STATEBLOB |
                  CAP_SET_DATAFD | CAP_SET_BUFFERSIZE,

    TPM_RETRY = 0x800, /* of TPM 1.2: there is no such state now, as none was ever saved */

    RESULT_BYTES = 4,
    MAX_REQUEST = 16,  /* bytes after the command, without a blob */
    MAX_RESPONSE = 16, /* with the result, without a blob */
    SHUTDOWN_MS = 200,
};

static const struct {
    int cmd;
    const char *name;
} cmd_names[] = {
    { CMD_GET_CAPABILITY, "GET_CAPABILITY" },
    { CMD_INIT, "INIT" },
    { CMD_SHUTDOWN, "SHUTDOWN" },
    { CMD_GET_TPMESTABLISHED, "GET_TPMESTABLISHED" },
    { CMD_SET_LOCALITY, "SET_LOCALITY" },
    { CMD_CANCEL_TPM_CMD, "CANCEL_TPM_CMD" },
    { CMD_RESET_TPMESTABLISHED, "RESET_TPMESTABLISHED" },
    { CMD_GET_STATEBLOB, "GET_STATEBLOB" },
    { CMD_SET_STATEBLOB, "SET_STATEBLOB" },
    { CMD_STOP, "STOP" },
    { CMD_SET_DATAFD, "SET_DATAFD" },
    { CMD_SET_BUFFERSIZE, "SET_BUFFERSIZE" },
};

static const char *
cmd_name(int cmd)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cmd_names); i++)
        if (cmd_names[i].cmd == cmd)
            return cmd_names[i].name;
    return "?";
}

/* ---- Bytes ---- */

/* Waits for @events.  Returns: 0 or an errno. */
static int
wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd wanted = { .fd = fd, .events = events };
    int n;

    do
        n = poll(&wanted, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    return n == 0 ? ETIMEDOUT : 0;
}

/* Both return 0 or an errno; the sockets do not block. */
static int
send_all(int fd, const uint8_t *data, size_t length, int pass_fd, int timeout_ms)
{
    while (length > 0) {
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n;
        int failed;

        if (pass_fd >= 0) {
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof control.bytes;
            control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                               .cmsg_level = SOL_SOCKET,
                                               .cmsg_type = SCM_RIGHTS };
            memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof pass_fd);
        }
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            data += n;
            length -= (size_t)n;
            pass_fd = -1;
        } else if (errno == EAGAIN) {
            failed = wait_for(fd, POLLOUT, timeout_ms);
            if (failed != 0)
                return failed;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static int
receive_all(int fd, uint8_t *data, size_t length, int timeout_ms)
{
    while (length > 0) {
        ssize_t n = recv(fd, data, length, MSG_DONTWAIT);
        int failed;

        if (n > 0) {
            data += n;
            length -= (size_t)n;
        } else if (n == 0) {
            return EPIPE;
        } else if (errno == EAGAIN) {
            failed = wait_for(fd, POLLIN, timeout_ms);
            if (failed != 0)
                return failed;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static gboolean
lost(int cmd, int errnum, GError **error)
{
    if (errnum == EPIPE || errnum == ECONNRESET)
        return kiln_error_set(error, KILN_ERROR_FAILED, "swtpm is gone (at %s)", cmd_name(cmd));
    return kiln_error_set_errno(error, errnum, "swtpm: %s", cmd_name(cmd));
}

/* ---- Control ---- */

/**
 * control:
 * @request: what follows the command, @request_length bytes
 * @response: (out): @response_length bytes from the result on; after a result that is not 0, what
 *   follows it is not looked at
 */
static gboolean
control_full(KilnTpmWire *wire, int cmd, int pass_fd, const uint8_t *request, size_t request_length,
             uint8_t *response, size_t response_length, GError **error)
{
    uint8_t bytes[4 + MAX_REQUEST];
    int timeout_ms = KILN_TPM_TIMEOUT_S * 1000;
    int failed;

    kiln_tpm_put32(bytes, (uint32_t)cmd);
    if (request_length > 0)
        memcpy(bytes + 4, request, request_length);
    failed = send_all(wire->control, bytes, 4 + request_length, pass_fd, timeout_ms);
    if (failed == 0)
        failed = receive_all(wire->control, response, response_length, timeout_ms);
    if (failed != 0)
        return lost(cmd, failed, error);
    if (kiln_tpm_get32(response) != 0 &&
        !(cmd == CMD_GET_STATEBLOB && kiln_tpm_get32(response) == TPM_RETRY))
        return kiln_error_set(error, KILN_ERROR_FAILED, "swtpm: %s: result 0x%x", cmd_name(cmd),
                              kiln_tpm_get32(response));
    return TRUE;
}

/* A command of which only the result counts. */
static gboolean
control(KilnTpmWire *wire, int cmd, const uint8_t *request, size_t length, GError **error)
{
    uint8_t result[RESULT_BYTES];

    return control_full(wire, cmd, -1, request, length, result, sizeof result, error);
}

gboolean
kiln_tpm_wire_stop(KilnTpmWire *wire, GError **error)
{
    return control(wire, CMD_STOP, NULL, 0, error);
}

gboolean
kiln_tpm_wire_init(KilnTpmWire *wire, uint32_t flags, GError **error)
{
    uint8_t request[4], sizes[16];

    /* Result, size in use, least, largest.  The size must be set while the TPM is stopped. */
    kiln_tpm_put32(request, KILN_TPM_BUFFER);
    if (!control_full(wire, CMD_SET_BUFFERSIZE, -1, request, sizeof request, sizes, sizeof sizes,
                      error))
        return FALSE;
    if (kiln_tpm_get32(sizes + 4) > KILN_TPM_BUFFER)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "swtpm: responses of %u bytes",
                              kiln_tpm_get32(sizes + 4));
    kiln_tpm_put32(request, flags);
    return control(wire, CMD_INIT, request, sizeof request, error);
}

void
kiln_tpm_wire_shutdown(KilnTpmWire *wire)
{
    uint8_t bytes[4];

    kiln_tpm_put32(bytes, CMD_SHUTDOWN);
    if (send_all(wire->control, bytes, sizeof bytes, -1, SHUTDOWN_MS) == 0)
        receive_all(wire->control, bytes, sizeof bytes, SHUTDOWN_MS);
}

gboolean
kiln_tpm_wire_set_locality(KilnTpmWire *wire, uint8_t locality, GError **error)
{
    uint8_t request[4] = { locality };

    return control(wire, CMD_SET_LOCALITY, request, sizeof request, error);
}

gboolean
kiln_tpm_wire_established(KilnTpmWire *wire, gboolean *established, GError **error)
{
    uint8_t response[8]; /* result, a byte, 3 unused */

    if (!control_full(wire, CMD_GET_TPMESTABLISHED, -1, NULL, 0, response, sizeof response, error))
        return FALSE;
    *established = response[4] != 0;
    return TRUE;
}

gboolean
kiln_tpm_wire_reset_established(KilnTpmWire *wire, uint8_t locality, GError **error)
{
    uint8_t request[4] = { locality };

    return control(wire, CMD_RESET_TPMESTABLISHED, request, sizeof request, error);
}

gboolean
kiln_tpm_wire_get_blob(KilnTpmWire *wire, uint32_t type, uint8_t **bytes, uint32_t *length,
                       uint32_t *flags, GError **error)
{
    uint8_t request[12], response[16]; /* result, flags, bytes in all, bytes that follow */
    g_autofree uint8_t *blob = NULL;
    uint32_t total, here;
    int failed;

    kiln_tpm_put32(request, 0);
    kiln_tpm_put32(request + 4, type);
    kiln_tpm_put32(request + 8, 0); /* from its first byte on */
    if (!control_full(wire, CMD_GET_STATEBLOB, -1, request, sizeof request, response,
                      sizeof response, error))
        return FALSE;
    total = kiln_tpm_get32(response + 8);
    here = kiln_tpm_get32(response + 12);
    if (total != here || total > KILN_TPM_MAX_BLOB)
        return kiln_error_set(error, KILN_ERROR_INVALID, "swtpm: a state of %u bytes, %u of them",
                              total, here);
    blob = g_malloc(MAX(total, 1));
    failed = receive_all(wire->control, blob, total, KILN_TPM_TIMEOUT_S * 1000);
    if (failed != 0)
        return lost(CMD_GET_STATEBLOB, failed, error);
    *length = total;
    *flags = kiln_tpm_get32(response + 4);
    *bytes = total > 0 ? g_steal_pointer(&blob) : NULL;
    return TRUE;
}

gboolean
kiln_tpm_wire_set_blob(KilnTpmWire *wire, uint32_t type, const uint8_t *bytes, uint32_t length,
                       uint32_t flags, GError **error)
{
    g_autofree uint8_t *request = g_malloc(16 + length);
    uint8_t result[RESULT_BYTES];
    int timeout_ms = KILN_TPM_TIMEOUT_S * 1000;
    int failed;

    kiln_tpm_put32(request, CMD_SET_STATEBLOB);
    kiln_tpm_put32(request + 4, flags);
    kiln_tpm_put32(request + 8, type);
    kiln_tpm_put32(request + 12, length);
    if (length > 0)
        memcpy(request + 16, bytes, length);
    failed = send_all(wire->control, request, 16 + (size_t)length, -1, timeout_ms);
    if (failed == 0)
        failed = receive_all(wire->control, result, sizeof result, timeout_ms);
    if (failed != 0)
        return lost(CMD_SET_STATEBLOB, failed, error);
    if (kiln_tpm_get32(result) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "swtpm: SET_STATEBLOB: result 0x%x",
                              kiln_tpm_get32(result));
    return TRUE;
}

/* ---- Data ---- */

static gboolean
wait_for_response(KilnTpmWire *wire, int interrupt_fd, GError **error)
{
    while (TRUE) {
        struct pollfd fds[] = { { .fd = wire->data, .events = POLLIN },
                                { .fd = interrupt_fd, .events = POLLIN } };
        uint64_t count;

        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            return kiln_error_set_errno(error, errno, "swtpm: cannot wait");
        if (fds[0].revents != 0)
            return TRUE;
        /* A command that has ended meanwhile is no error. */
        if (fds[1].revents != 0 && read(interrupt_fd, &count, sizeof count) == sizeof count &&
            !control(wire, CMD_CANCEL_TPM_CMD, NULL, 0, error))
            return FALSE;
    }
}

uint32_t
kiln_tpm_wire_command(KilnTpmWire *wire, uint8_t *buffer, uint32_t length, uint32_t size,
                      int interrupt_fd, GError **error)
{
    int timeout_ms = KILN_TPM_TIMEOUT_S * 1000;
    int failed = send_all(wire->data, buffer, length, -1, timeout_ms);
    uint32_t total;

    if (failed == 0) {
        if (!wait_for_response(wire, interrupt_fd, error))
            return 0;
        failed = receive_all(wire->data, buffer, KILN_TPM_HEADER, timeout_ms);
    }
    if (failed != 0) {
        kiln_error_set_errno(error, failed, "swtpm: a TPM command");
        return 0;
    }
    total = kiln_tpm_get32(buffer + 2);
    if (total < KILN_TPM_HEADER || total > size) {
        kiln_error_set(error, KILN_ERROR_INVALID, "swtpm: a response of %u bytes", total);
        return 0;
    }
    failed = receive_all(wire->data, buffer + KILN_TPM_HEADER, total - KILN_TPM_HEADER, timeout_ms);
    if (failed != 0) {
        kiln_error_set_errno(error, failed, "swtpm: a response");
        return 0;
    }
    return total;
}

/* ---- Life ---- */

static gboolean
check_capabilities(KilnTpmWire *wire, GError **error)
{
    uint8_t response[8]; /* as 64 bits, of which swtpm uses the lower half */
    uint32_t missing;

    if (!control_full(wire, CMD_GET_CAPABILITY, -1, NULL, 0, response, sizeof response, error))
        return FALSE;
    missing = CAPS_NEEDED & ~kiln_tpm_get32(response + 4);
    if (missing != 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "swtpm lacks capabilities 0x%x: it is too old", missing);
    return TRUE;
}

gboolean
kiln_tpm_wire_open(KilnTpmWire *wire, int control_fd, GError **error)
{
    uint8_t result[RESULT_BYTES];
    int pair[2];
    g_auto(KilnFd) theirs = -1;

    wire->control = control_fd;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return kiln_error_set_errno(error, errno, "cannot make a socket pair");
    wire->data = pair[0];
    theirs = pair[1];
    return check_capabilities(wire, error) &&
           control_full(wire, CMD_SET_DATAFD, theirs, NULL, 0, result, sizeof result, error);
}

void
kiln_tpm_wire_close(KilnTpmWire *wire)
{
    kiln_fd_clear(&wire->data);
    kiln_fd_clear(&wire->control);
}
