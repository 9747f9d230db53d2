/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VNC client of the tests', on one end of a socketpair whose other end the server in this process
 * has. */
#ifndef KILN_TEST_VNC_CLIENT_H
#define KILN_TEST_VNC_CLIENT_H

#include <glib.h>
#include <gnutls/gnutls.h>
#include <stdint.h>

typedef struct {
    int fd;
    guint source;
    gnutls_session_t tls; /* (nullable) */
} VncClient;

/* A socketpair; @server is the other end. */
void vnc_client_init(VncClient *client, int *server);
void vnc_client_clear(VncClient *client);

void vnc_send(VncClient *client, const void *data, gsize length);
/* Runs the main loop until @length bytes have come.  Returns: FALSE if the server hung up. */
gboolean vnc_receive(VncClient *client, void *data, gsize length);
/* Runs the main loop until the server hangs up; what comes before is dropped. */
void vnc_expect_end(VncClient *client);
/* Runs the main loop until @condition is not 0. */
#define vnc_wait(condition)                                                                        \
    do {                                                                                           \
        while (!(condition))                                                                       \
            (void)g_main_context_iteration(NULL, TRUE);                                            \
    } while (0)

void vnc_send_u8(VncClient *client, uint8_t value);
uint8_t vnc_u8(VncClient *client);
uint16_t vnc_u16(VncClient *client);
uint32_t vnc_u32(VncClient *client);

/* Version 3.8 up to ClientInit, without a password; then the ServerInit, whose size is returned. */
void vnc_login(VncClient *client, gboolean shared, guint *width, guint *height);
/* The answer to a challenge; @name is put into what the server asks for.  Returns: SecurityResult
 */
uint32_t vnc_answer(VncClient *client, const char *password);

void vnc_encodings(VncClient *client, const int32_t *encodings, guint n);
void vnc_request(VncClient *client, gboolean incremental, guint width, guint height);

/* The begin of an update's rectangle. */
typedef struct {
    guint x, y, width, height;
    int32_t encoding;
} VncRect;

/* Begins an update.  Returns: rectangles */
guint vnc_update(VncClient *client);
VncRect vnc_rect(VncClient *client);

#endif
