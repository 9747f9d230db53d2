/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VNC server, on a surface with a pattern, seen by a client of the tests' own. */
#include "display/vnc.h"

#include "display/vnc-handshake.h"
#include "display/vnc-stream.h"
#include "tests/display/vnc-client.h"
#include "tests/lib/kiln-test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <linux/input-event-codes.h>
#include <netinet/in.h>
#include <rfb/rfb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

enum { WIDTH = 200, HEIGHT = 100 };

static const KilnVncModule *vnc_module = &kiln_vnc_module;
static KilnSurface *surface;
static KilnInputs *inputs;
static KilnInputSink *keyboard;
static GString *typed;  /* what the guest's devices got */
static GString *events; /* who came and went */
static char power;
static guint n_power;
static KilnSurfaceHint hinted;
static uint32_t *pixels;
static gboolean without_des;
static KilnVncOptions options;
static KilnVnc *vnc;

/* ---- the guest ---- */

static void
on_hint(void *device, const KilnSurfaceHint *hint)
{
    (void)device;
    hinted = *hint;
}

static const KilnSurfaceDevice surface_ops = { .hint = on_hint };

static void
on_key(void *device, uint16_t code, gboolean down)
{
    (void)device;
    g_string_append_printf(typed, "k%u%c ", code, down ? '+' : '-');
}

static void
on_button(void *device, uint16_t code, gboolean down)
{
    (void)device;
    g_string_append_printf(typed, "b%x%c ", code, down ? '+' : '-');
}

static void
on_wheel(void *device, int vertical, int horizontal)
{
    (void)device;
    g_string_append_printf(typed, "w%d,%d ", vertical, horizontal);
}

static void
on_move_to(void *device, uint32_t x, uint32_t y)
{
    (void)device;
    g_string_append_printf(typed, "a%u,%u ", x, y);
}

static void
on_move_by(void *device, int dx, int dy)
{
    (void)device;
    g_string_append_printf(typed, "r%d,%d ", dx, dy);
}

static const KilnInputSinkOps sink_ops = {
    .key = on_key,
    .button = on_button,
    .wheel = on_wheel,
    .move_to = on_move_to,
    .move_by = on_move_by,
};

static uint32_t
pattern(guint x, guint y)
{
    return x << 16 | y << 8 | ((x ^ y) & 0xff);
}

static void
on_event(void *data, KilnVncEvent event, const KilnVncPeer *peer)
{
    static const char *const names[] = { "connected", "initialized", "disconnected" };

    (void)data;
    ck_assert(g_utf8_validate(peer->node, -1, NULL)); /* it goes onto the bus */
    g_string_append_printf(events, "%s %s %s; ", names[event], peer->family, peer->scheme);
}

static void
on_power(void *data, char what)
{
    (void)data;
    power = what;
    n_power++;
}

static void
set_up(void)
{
    typed = g_string_new(NULL);
    events = g_string_new(NULL);
    inputs = kiln_inputs_new();
    keyboard = kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_VIRTIO, &sink_ops, NULL);
    surface = kiln_surface_new("video0", 0, &surface_ops, NULL);
    pixels = kiln_surface_resize(surface, WIDTH, HEIGHT);
    for (guint y = 0; y < HEIGHT; y++) {
        for (guint x = 0; x < WIDTH; x++)
            pixels[y * WIDTH + x] = pattern(x, y);
    }
    options = (KilnVncOptions){
        .name = "guest",
        .surface = surface,
        .inputs = inputs,
        .event = on_event,
        .power = on_power,
    };
}

static void
tear_down(void)
{
    vnc_module->close(vnc);
    kiln_surface_free(surface);
    kiln_inputs_free(inputs);
    g_string_free(typed, TRUE);
    g_string_free(events, TRUE);
}

/* ---- helpers ---- */

static void
open_vnc(void)
{
    g_autoptr(GError) error = NULL;

    vnc = vnc_module->open(&options, &error);
    kiln_assert_no_error(error);
}

static void
join(VncClient *client)
{
    int server;

    if (vnc == NULL)
        open_vnc();
    vnc_client_init(client, &server);
    vnc_module->add_client(vnc, server, FALSE);
}

static void
join_in(VncClient *client)
{
    guint width, height;

    join(client);
    vnc_login(client, TRUE, &width, &height);
    ck_assert_uint_eq(width, WIDTH);
    ck_assert_uint_eq(height, HEIGHT);
}

/* Reads a raw rectangle and compares it with the surface. */
static void
expect_raw(VncClient *client, const VncRect *rect)
{
    g_autofree uint32_t *data = g_malloc(rect->width * rect->height * 4);

    ck_assert_int_eq(rect->encoding, rfbEncodingRaw);
    ck_assert(vnc_receive(client, data, rect->width * rect->height * 4));
    for (guint y = 0; y < rect->height; y++) {
        for (guint x = 0; x < rect->width; x++)
            ck_assert_uint_eq(data[y * rect->width + x] & 0xffffff,
                              pixels[(rect->y + y) * WIDTH + rect->x + x] & 0xffffff);
    }
}

static void
first_picture(VncClient *client)
{
    guint n;

    vnc_request(client, FALSE, WIDTH, HEIGHT);
    n = vnc_update(client);
    for (guint i = 0; i < n; i++) {
        VncRect rect = vnc_rect(client);

        expect_raw(client, &rect);
    }
}

static void
send_key(VncClient *client, uint32_t keysym, gboolean down)
{
    const uint8_t message[] = { 4,
                                down ? 1 : 0,
                                0,
                                0,
                                (uint8_t)(keysym >> 24),
                                (uint8_t)(keysym >> 16),
                                (uint8_t)(keysym >> 8),
                                (uint8_t)keysym };

    vnc_send(client, message, sizeof message);
}

static void
send_pointer(VncClient *client, uint8_t buttons, guint x, guint y)
{
    const uint8_t message[] = { 5,          buttons,           (uint8_t)(x >> 8),
                                (uint8_t)x, (uint8_t)(y >> 8), (uint8_t)y };

    vnc_send(client, message, sizeof message);
}

/* ---- pictures ---- */

START_TEST(a_picture_arrives_and_then_what_changes)
{
    VncClient client;
    VncRect rect;

    join_in(&client);
    first_picture(&client);
    vnc_request(&client, TRUE, WIDTH, HEIGHT);
    pixels[50 * WIDTH + 70] = 0x123456;
    kiln_surface_update(surface, 0, 0, WIDTH, HEIGHT); /* the device does not know better */
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_uint_eq(rect.x, 64);
    ck_assert_uint_eq(rect.y, 48);
    ck_assert_uint_eq(rect.width, 64);
    ck_assert_uint_eq(rect.height, 16);
    expect_raw(&client, &rect);
    vnc_client_clear(&client);
    vnc_wait(vnc_module->n_clients(vnc) == 0);
    vnc_wait(!kiln_surface_is_looked_at(surface));
    ck_assert_str_eq(events->str,
                     "connected unix none; initialized unix none; disconnected unix none; ");
}
END_TEST

START_TEST(a_guest_without_a_display_is_black)
{
    VncClient client;
    guint width, height;

    options.surface = NULL;
    join(&client);
    vnc_login(&client, TRUE, &width, &height);
    ck_assert_uint_eq(width, 640);
    vnc_request(&client, FALSE, 1, 1);
    ck_assert_uint_eq(vnc_update(&client), 1);
    (void)vnc_rect(&client);
    ck_assert_uint_eq(vnc_u32(&client), 0);
    vnc_client_clear(&client);
}
END_TEST

START_TEST(sizes_change_both_ways)
{
    static const int32_t encodings[] = { rfbEncodingRaw, (int32_t)rfbEncodingExtDesktopSize };
    static const uint8_t wish[] = { 251, 0, 4, 0, 3, 0, 1, 0, 0, 0, 0, 0,
                                    0,   0, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0 };
    VncClient client;
    VncRect rect;
    uint8_t screen[20];

    join_in(&client);
    vnc_encodings(&client, encodings, G_N_ELEMENTS(encodings));
    vnc_request(&client, FALSE, WIDTH, HEIGHT);
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_int_eq(rect.encoding, (int32_t)rfbEncodingExtDesktopSize);
    ck_assert(vnc_receive(&client, screen, sizeof screen));
    vnc_send(&client, wish, sizeof wish);
    vnc_wait(hinted.width == 1024 && hinted.height == 768);
    ck_assert_ptr_nonnull(kiln_surface_resize(surface, 320, 240)); /* the guest has its own mind */
    do {
        guint n = vnc_update(&client);

        for (guint i = 0; i < n; i++) {
            g_autofree uint8_t *data = NULL;

            rect = vnc_rect(&client);
            if (rect.encoding != rfbEncodingRaw) {
                ck_assert(vnc_receive(&client, screen, sizeof screen));
                continue;
            }
            data = g_malloc(rect.width * rect.height * 4);
            ck_assert(vnc_receive(&client, data, rect.width * rect.height * 4));
        }
        vnc_request(&client, TRUE, 320, 240);
    } while (rect.encoding == rfbEncodingRaw || rect.width != 320);
    ck_assert_uint_eq(rect.height, 240);
    vnc_client_clear(&client);
}
END_TEST

START_TEST(a_cursor_has_its_shape)
{
    static const int32_t encodings[] = { rfbEncodingRaw, (int32_t)rfbEncodingRichCursor };
    uint32_t shape[4 * 4];
    KilnSurfaceCursor cursor = { 4, 4, 1, 2, shape };
    VncClient client;
    VncRect rect;
    guint n;

    memset(shape, 0xff, sizeof shape);
    kiln_surface_set_cursor(surface, &cursor);
    kiln_surface_move_cursor(surface, 10, 10, TRUE);
    join_in(&client);
    vnc_encodings(&client, encodings, G_N_ELEMENTS(encodings));
    vnc_request(&client, FALSE, WIDTH, HEIGHT);
    n = vnc_update(&client);
    ck_assert_uint_gt(n, 1);
    rect = vnc_rect(&client);
    ck_assert_int_eq(rect.encoding, (int32_t)rfbEncodingRichCursor);
    ck_assert_uint_eq(rect.width, 4);
    ck_assert_uint_eq(rect.x, 1);
    ck_assert_uint_eq(rect.y, 2);
    vnc_client_clear(&client);
    vnc_wait(vnc_module->n_clients(vnc) == 0);
}
END_TEST

/* ---- who is let in ---- */

static uint32_t
try_password(VncClient *client, const char *password)
{
    char version[12];

    join(client);
    ck_assert(vnc_receive(client, version, sizeof version));
    vnc_send(client, version, sizeof version);
    ck_assert_uint_eq(vnc_u8(client), 1);
    ck_assert_uint_eq(vnc_u8(client), 2);
    vnc_send_u8(client, 2);
    return vnc_answer(client, password);
}

START_TEST(passwords_open_until_they_expire)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    VncClient client;

    options.password = "secret";
    options.valid_to = now + 1000;
    ck_assert_uint_eq(try_password(&client, "secret"), 0);
    vnc_client_clear(&client);
    ck_assert_uint_eq(try_password(&client, "guess"), 1);
    vnc_expect_end(&client);
    vnc_client_clear(&client);
    vnc_module->set_password(vnc, "secret", now - 1);
    ck_assert_uint_eq(try_password(&client, "secret"), 1);
    vnc_client_clear(&client);
    vnc_module->set_password(vnc, "changed", 0);
    ck_assert_uint_eq(try_password(&client, "changed"), 0);
    vnc_client_clear(&client);
    vnc_module->set_password(vnc, "", 0); /* nobody */
    ck_assert_uint_eq(try_password(&client, ""), 1);
    vnc_client_clear(&client);
}
END_TEST

static void
shake_hands(VncClient *client)
{
    char version[12];

    ck_assert(vnc_receive(client, version, sizeof version));
    vnc_send(client, version, sizeof version);
    ck_assert_uint_eq(vnc_u16(client), 0x0101);
    vnc_send_u8(client, 1);
    ck_assert_uint_eq(vnc_u32(client), 0);
}

START_TEST(a_password_is_for_all_who_are_not_in_yet)
{
    VncClient in, waits, handed;
    int server;

    join_in(&in);
    join(&waits);
    shake_hands(&waits);
    vnc_client_init(&handed, &server);
    vnc_module->add_client(vnc, server, TRUE);
    shake_hands(&handed);
    vnc_module->set_password(vnc, "secret", 0);
    vnc_send_u8(&waits, 1);
    vnc_expect_end(&waits);
    vnc_send_u8(&handed, 1);
    ck_assert_uint_eq(vnc_u16(&handed), WIDTH);
    first_picture(&in);
    ck_assert_uint_eq(vnc_module->n_clients(vnc), 2);
    vnc_client_clear(&in);
    vnc_client_clear(&waits);
    vnc_client_clear(&handed);
}
END_TEST

/* In the library's place, which says nothing if its crypto library has no DES. */
void
rfbEncryptBytes(unsigned char *bytes, char *password)
{
    static void (*encrypt)(unsigned char *bytes, char *password);

    if (encrypt == NULL)
        *(void **)&encrypt = dlsym(RTLD_NEXT, "rfbEncryptBytes");
    if (!without_des)
        encrypt(bytes, password);
}

START_TEST(without_des_nobody_has_the_password)
{
    g_autoptr(GError) error = NULL;
    VncClient client;

    options.password = "secret";
    open_vnc();
    without_des = TRUE;
    ck_assert_uint_eq(try_password(&client, "any"), 1); /* sends the challenge back */
    vnc_client_clear(&client);
    ck_assert_ptr_null(vnc_module->open(&options, &error));
    kiln_assert_error_has(error, "no DES");
}
END_TEST

/* ---- TLS ---- */

static void
write_pem(const char *dir, const char *name, const gnutls_datum_t *pem)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    ck_assert(g_file_set_contents(path, (const char *)pem->data, (gssize)pem->size, NULL));
}

/* A certificate that signs itself, for an hour. */
static void
make_certificate(const char *dir)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;

    ck_assert_int_eq(gnutls_x509_privkey_init(&key), 0);
    ck_assert_int_eq(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    ck_assert_int_eq(gnutls_x509_crt_init(&certificate), 0);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "\1", 1);
    gnutls_x509_crt_set_dn(certificate, "CN=guest", NULL);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 10);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
    gnutls_x509_crt_set_key(certificate, key);
    ck_assert_int_eq(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    ck_assert_int_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(dir, "server-key.pem", &pem);
    gnutls_free(pem.data);
    ck_assert_int_eq(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(dir, "server-cert.pem", &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

/* Up to the end of VeNCrypt, RFB 3.8. */
static void
agree_on_tls(VncClient *client, uint32_t type)
{
    char version[12];

    join(client);
    ck_assert(vnc_receive(client, version, sizeof version));
    vnc_send(client, version, sizeof version);
    ck_assert_uint_eq(vnc_u16(client), 0x0113);
    vnc_send_u8(client, 19);
    ck_assert_uint_eq(vnc_u16(client), 2);
    vnc_send(client, "\0\2", 2);
    ck_assert_uint_eq(vnc_u8(client), 0);
    ck_assert_uint_eq(vnc_u8(client), 1);
    ck_assert_uint_eq(vnc_u32(client), type);
    type = GUINT32_TO_BE(type);
    vnc_send(client, &type, sizeof type);
    ck_assert_uint_eq(vnc_u8(client), 1);
}

START_TEST(tls_comes_before_the_password)
{
    g_autofree char *dir = kiln_test_dir();
    gnutls_certificate_credentials_t credentials;
    VncClient client;
    int result;

    make_certificate(dir);
    options.tls_dir = dir;
    options.password = "secret";
    agree_on_tls(&client, 261);
    gnutls_certificate_allocate_credentials(&credentials);
    (void)fcntl(client.fd, F_SETFL, O_NONBLOCK);
    gnutls_init(&client.tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(client.tls);
    gnutls_credentials_set(client.tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(client.tls, client.fd);
    while ((result = gnutls_handshake(client.tls)) == GNUTLS_E_AGAIN)
        (void)g_main_context_iteration(NULL, FALSE);
    ck_assert_int_eq(result, GNUTLS_E_SUCCESS);
    ck_assert_uint_eq(vnc_answer(&client, "secret"), 0);
    vnc_send_u8(&client, 1);
    ck_assert_uint_eq(vnc_u16(&client), WIDTH);
    ck_assert_str_eq(events->str, "connected unix x509+vnc; initialized unix x509+vnc; ");
    vnc_client_clear(&client);
    gnutls_certificate_free_credentials(credentials);
}
END_TEST

START_TEST(nobody_talks_in_the_clear_once_tls_is_agreed_on)
{
    g_autofree char *dir = kiln_test_dir();
    g_autoptr(GError) error = NULL;
    VncClient client;

    options.tls_dir = dir;
    ck_assert_ptr_null(vnc_module->open(&options, &error));
    kiln_assert_error_has(error, "server-cert.pem");
    make_certificate(dir);
    agree_on_tls(&client, 260);
    vnc_send(&client, "\1\1\1\1\1\1\1\1\1\1\1\1", 12);
    vnc_expect_end(&client);
    vnc_client_clear(&client);
}
END_TEST

/* As TigerVNC has it. */
START_TEST(a_result_comes_after_tls_in_old_versions_too)
{
    static const char input[] = "RFB 003.007\n\x13\0\2\0\0\1\4";
    KilnVncHandshake handshake = { .tls = TRUE };
    KilnVncHandshakeResult result = KILN_VNC_HANDSHAKE_MORE;
    g_autoptr(GByteArray) out = g_byte_array_new();
    gsize at = 0, taken;

    while (result == KILN_VNC_HANDSHAKE_MORE && at < sizeof input - 1) {
        result = kiln_vnc_handshake_step(&handshake, (const uint8_t *)input + at,
                                         sizeof input - 1 - at, &taken, out);
        at += taken;
    }
    ck_assert_int_eq(result, KILN_VNC_HANDSHAKE_TLS);
    g_byte_array_set_size(out, 0);
    result = kiln_vnc_handshake_step(&handshake, NULL, 0, &taken, out);
    ck_assert_int_eq(result, KILN_VNC_HANDSHAKE_DONE);
    ck_assert_uint_eq(out->len, 4);
    ck_assert_int_eq(memcmp(out->data, "\0\0\0\0", 4), 0);
}
END_TEST

START_TEST(who_is_handed_in_needs_no_password)
{
    VncClient client;
    guint width, height;
    int server;

    options.password = "secret";
    open_vnc();
    vnc_client_init(&client, &server);
    vnc_module->add_client(vnc, server, TRUE);
    vnc_login(&client, TRUE, &width, &height);
    ck_assert_uint_eq(vnc_module->n_clients(vnc), 1);
    vnc_client_clear(&client);
}
END_TEST

START_TEST(old_versions_are_spoken)
{
    VncClient client;
    char version[12];

    join(&client);
    ck_assert(vnc_receive(&client, version, sizeof version));
    vnc_send(&client, "RFB 003.003\n", 12);
    ck_assert_uint_eq(vnc_u32(&client), 1);
    vnc_send_u8(&client, 1);
    ck_assert_uint_eq(vnc_u16(&client), WIDTH);
    vnc_client_clear(&client);

    join(&client);
    ck_assert(vnc_receive(&client, version, sizeof version));
    vnc_send(&client, "RFB 003.007\n", 12);
    ck_assert_uint_eq(vnc_u16(&client), 0x0101);
    vnc_send_u8(&client, 1);
    vnc_send_u8(&client, 1);
    ck_assert_uint_eq(vnc_u16(&client), WIDTH);
    vnc_client_clear(&client);
}
END_TEST

START_TEST(one_may_be_alone)
{
    VncClient one, two;
    guint width, height;

    join_in(&one);
    join(&two);
    vnc_login(&two, FALSE, &width, &height);
    vnc_expect_end(&one);
    vnc_client_clear(&one);
    join(&one); /* and nobody joins it */
    vnc_send(&one, "RFB 003.008\n\1\1", 14);
    vnc_expect_end(&one);
    vnc_client_clear(&one);
    vnc_client_clear(&two);
}
END_TEST

START_TEST(or_has_to_share)
{
    VncClient one, two;
    guint width, height;

    options.sharing = KILN_VNC_FORCE_SHARED;
    join_in(&one);
    join(&two);
    vnc_send(&two, "RFB 003.008\n\1\0", 14);
    vnc_expect_end(&two);
    vnc_client_clear(&two);
    first_picture(&one);
    vnc_module->close(g_steal_pointer(&vnc));
    vnc_client_clear(&one);

    options.sharing = KILN_VNC_IGNORE;
    join(&one);
    vnc_login(&one, FALSE, &width, &height);
    join_in(&two);
    first_picture(&one);
    vnc_client_clear(&one);
    vnc_client_clear(&two);
}
END_TEST

/* ---- keys and pointer ---- */

START_TEST(keys_are_pressed_and_let_go)
{
    static const int32_t encodings[] = { -258, -261 };
    static const uint8_t scan[] = { 255, 0, 0, 1, 0, 0, 0, 'y', 0, 0, 0, 0x2c };
    VncClient client;
    VncRect rect;

    join_in(&client);
    send_key(&client, 'A', TRUE);
    send_key(&client, 'A', FALSE);
    send_key(&client, 0xff0d, TRUE);
    send_key(&client, 0x1234567, TRUE);
    vnc_encodings(&client, encodings, G_N_ELEMENTS(encodings));
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_int_eq(rect.encoding, -258);
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_int_eq(rect.encoding, -261);
    ck_assert_uint_eq(vnc_u8(&client), 0);
    vnc_send(&client, scan, sizeof scan); /* a German Y is where Z is */
    kiln_input_sink_set_lights(keyboard, 1 << LED_CAPSL);
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_uint_eq(vnc_u8(&client), 4);
    vnc_wait(strstr(typed->str, "k44+") != NULL);
    vnc_client_clear(&client);
    vnc_wait(vnc_module->n_clients(vnc) == 0);
    ck_assert_str_eq(typed->str, "k30+ k30- k28+ k44+ k28- k44- ");
}
END_TEST

START_TEST(pointers_are_moved)
{
    static const int32_t encodings[] = { -257 };
    VncClient client;
    VncRect rect;

    (void)kiln_inputs_add(inputs, KILN_INPUT_RELATIVE, KILN_INPUT_RANK_PS2, &sink_ops, NULL);
    join_in(&client);
    vnc_encodings(&client, encodings, G_N_ELEMENTS(encodings));
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_int_eq(rect.encoding, -257);
    ck_assert_uint_eq(rect.x, 0);
    send_pointer(&client, 1, 0x7fff - 3, 0x7fff + 5);
    send_pointer(&client, 0, 0x7fff, 0x7fff);
    vnc_wait(strstr(typed->str, "b110-") != NULL);
    (void)kiln_inputs_add(inputs, KILN_INPUT_ABSOLUTE, KILN_INPUT_RANK_VIRTIO, &sink_ops, NULL);
    ck_assert_uint_eq(vnc_update(&client), 1);
    rect = vnc_rect(&client);
    ck_assert_uint_eq(rect.x, 1);
    send_pointer(&client, 8, WIDTH - 1, 0);
    send_pointer(&client, 4, 60000, 60000);
    vnc_wait(strstr(typed->str, "b111+") != NULL);
    vnc_client_clear(&client);
    vnc_wait(vnc_module->n_clients(vnc) == 0);
    ck_assert_str_eq(typed->str, "r-3,5 b110+ b110- a32767,0 w1,0 a32767,32767 b111+ b111- ");
}
END_TEST

START_TEST(text_goes_to_the_others)
{
    static const uint8_t text[] = { 6, 0, 0, 0, 0, 0, 0, 3, 'a', 0xe4, 'c' };
    static const uint8_t xvp[] = { 250, 0, 1, 3 };
    VncClient one, two;
    char got[3];

    join_in(&one);
    join_in(&two);
    vnc_send(&one, text, sizeof text);
    ck_assert_uint_eq(vnc_u8(&two), 3);
    ck_assert_uint_eq(vnc_u8(&two), 0);
    (void)vnc_u16(&two);
    ck_assert_uint_eq(vnc_u32(&two), 3);
    ck_assert(vnc_receive(&two, got, 3));
    ck_assert_int_eq(memcmp(got,
                            "a\xe4"
                            "c",
                            3),
                     0);
    vnc_send(&one, xvp, sizeof xvp);
    vnc_wait(power == 'b');
    first_picture(&one); /* its own text did not come back */
    vnc_client_clear(&one);
    vnc_client_clear(&two);
}
END_TEST

/* @size: what it says that @text, of @length bytes, has */
static void
send_provide(VncClient *client, uint32_t size, const char *text, gsize length)
{
    uint8_t plain[64], message[128] = { 6, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0x10, 0, 0, 1 };
    uLongf made = 64;

    size = GUINT32_TO_BE(size);
    memcpy(plain, &size, 4);
    memcpy(plain + 4, text, length);
    ck_assert_int_eq(compress(message + 12, &made, plain, 4 + length), Z_OK);
    message[7] = (uint8_t)(0x100 - 4 - made);
    vnc_send(client, message, 12 + made);
}

START_TEST(text_that_is_shorter_than_it_says_goes_nowhere)
{
    static const int32_t encodings[] = { (int32_t)rfbEncodingExtendedClipboard };
    uint8_t caps[16], got[8];
    VncClient one, two;

    join_in(&one);
    join_in(&two);
    vnc_encodings(&one, encodings, G_N_ELEMENTS(encodings));
    ck_assert(vnc_receive(&one, caps, sizeof caps));
    send_provide(&one, 1000, "abc", 3);
    send_provide(&one, UINT32_MAX, "abc", 3);
    send_provide(&one, 4,
                 "d\xc3\xa4"
                 "f",
                 4);
    ck_assert(vnc_receive(&two, got, sizeof got));
    ck_assert_uint_eq(got[7], 3);
    ck_assert(vnc_receive(&two, got, 3));
    ck_assert_int_eq(memcmp(got,
                            "d\xe4"
                            "f",
                            3),
                     0);
    vnc_client_clear(&one);
    vnc_client_clear(&two);
}
END_TEST

/* ---- the hostile ones ---- */

START_TEST(a_client_that_takes_nothing_delays_nobody)
{
    VncClient slow, fast;
    int bytes = 4096;

    join_in(&slow);
    join_in(&fast);
    (void)setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    first_picture(&fast);
    for (guint i = 0; i < 300; i++) {
        vnc_request(&slow, FALSE, WIDTH, HEIGHT);
        if (i % 100 == 0)
            first_picture(&fast);
    }
    first_picture(&fast);
    vnc_client_clear(&slow);
    vnc_client_clear(&fast);
}
END_TEST

START_TEST(a_client_that_reads_no_text_gets_no_more)
{
    g_autofree uint8_t *text = g_malloc0(8 + (1 << 20));
    VncClient slow, fast;

    text[0] = 6;
    text[5] = 0x10;
    join_in(&slow);
    join_in(&fast);
    for (guint i = 0; i < 8; i++) /* a MiB each, which slow does not read */
        vnc_send(&fast, text, 8 + (1 << 20));
    first_picture(&fast);
    ck_assert_uint_eq(vnc_module->n_clients(vnc), 2);
    ck_assert_uint_eq(vnc_u8(&slow), 3);
    vnc_client_clear(&slow);
    vnc_client_clear(&fast);
}
END_TEST

START_TEST(what_it_asks_for_again_and_again_counts_too)
{
    static const int32_t encodings[] = { -258, -257, -261 };
    static uint8_t messages[1000][2][4 + sizeof encodings];
    VncClient slow;

    for (guint i = 0; i < G_N_ELEMENTS(messages); i++) {
        messages[i][0][0] = messages[i][1][0] = 2;
        messages[i][0][3] = messages[i][1][3] = G_N_ELEMENTS(encodings);
        for (guint n = 0; n < G_N_ELEMENTS(encodings); n++) {
            messages[i][0][4 + n * 4] = messages[i][0][5 + n * 4] = 0xff;
            messages[i][0][6 + n * 4] = 0xfe;
            messages[i][0][7 + n * 4] = (uint8_t)encodings[n];
        }
    }
    join_in(&slow);
    for (guint i = 0; i < 150 && vnc_module->n_clients(vnc) == 1; i++) /* 7 MB, not read */
        vnc_send(&slow, messages, sizeof messages);
    vnc_wait(vnc_module->n_clients(vnc) == 0);
    vnc_client_clear(&slow);
}
END_TEST

START_TEST(what_costs_others_is_rationed)
{
    uint8_t resets[1000][4];
    VncClient client;

    for (guint i = 0; i < G_N_ELEMENTS(resets); i++)
        memcpy(resets[i], "\xfa\0\1\4", 4);
    join_in(&client);
    vnc_send(&client, resets, sizeof resets);
    first_picture(&client);
    ck_assert_uint_ge(n_power, 8);
    ck_assert_uint_lt(n_power, 100); /* seconds of a busy machine */
    vnc_client_clear(&client);
}
END_TEST

/* ---- the stream ---- */

static gboolean stream_ended;

static void
on_stream(void *data)
{
    (void)data;
}

static void
on_stream_ended(void *data, const char *reason)
{
    (void)data;
    (void)reason;
    stream_ended = TRUE;
}

static const KilnVncStreamFuncs stream_funcs = { .readable = on_stream,
                                                 .drained = on_stream,
                                                 .ended = on_stream_ended };

START_TEST(a_stream_that_never_drains_loses_nothing)
{
    enum { STEPS = 64, STEP_WORDS = 1 << 14 };
    static uint32_t words[STEP_WORDS];
    uint32_t next_out = 0, next_in = 0;
    VncClient client;
    KilnVncStream *stream;
    int server;

    vnc_client_init(&client, &server);
    stream = kiln_vnc_stream_new(server, &stream_funcs, NULL);
    for (guint step = 0; step < STEPS + 16; step++) { /* 16 steps of 64 KiB are ahead */
        for (guint i = 0; i < STEP_WORDS; i++)
            words[i] = next_out++;
        if (step < STEPS)
            kiln_vnc_stream_write(stream, words, sizeof words);
        if (step < 16)
            continue;
        ck_assert(step >= STEPS || kiln_vnc_stream_pending(stream) > 0);
        ck_assert(vnc_receive(&client, words, sizeof words));
        for (guint i = 0; i < STEP_WORDS; i++)
            ck_assert_uint_eq(words[i], next_in++);
    }
    ck_assert(!stream_ended);
    kiln_vnc_stream_free(stream);
    vnc_client_clear(&client);
}
END_TEST

START_TEST(a_stream_ends_rather_than_leave_out_a_part)
{
    VncClient client;
    KilnVncStream *stream;
    int server;

    vnc_client_init(&client, &server);
    stream = kiln_vnc_stream_new(server, &stream_funcs, NULL);
    kiln_vnc_stream_write(stream, "a", 1);
    kiln_vnc_stream_write(stream, "b", G_MAXINT); /* of which nothing is read */
    ck_assert(stream_ended);
    kiln_vnc_stream_free(stream);
    vnc_client_clear(&client);
}
END_TEST

static const struct {
    const char *what;
    guint length;
    uint8_t bytes[24];
} nonsense[] = {
    { "a type that is not taken", 1, { 7 } },
    { "scaling", 4, { 8, 2, 0, 0 } },
    { "24 bits a pixel", 20, { 0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 } },
    { "a shift out of the pixel", 20, { 0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 60, 8 } },
    { "no colours", 20, { 0, 0, 0, 0, 32, 24, 0, 1, 0, 0, 0, 255, 0, 255, 16, 8 } },
    { "2 GiB of text", 8, { 6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff } },
    { "text of no clipboard", 8, { 6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff } },
    { "sound", 4, { 255, 1, 0, 0 } },
    { "file transfer", 12, { 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
};

START_TEST(nonsense_ends_the_connection)
{
    VncClient client, other;

    join_in(&other);
    join_in(&client);
    vnc_send(&client, nonsense[_i].bytes, nonsense[_i].length);
    vnc_expect_end(&client);
    vnc_client_clear(&client);
    first_picture(&other);
    vnc_client_clear(&other);
}
END_TEST

START_TEST(strangers_make_room)
{
    VncClient clients[KILN_VNC_MAX_CLIENTS + 4], last;

    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        join(&clients[i]);
    vnc_expect_end(&clients[0]);
    join_in(&last);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        vnc_client_clear(&clients[i]);
    first_picture(&last);
    vnc_client_clear(&last);
}
END_TEST

/* ---- sockets ---- */

START_TEST(ports_that_are_taken_are_passed_over)
{
    g_autoptr(GError) error = NULL;
    guint first, second;

    open_vnc();
    first = vnc_module->listen_tcp(vnc, "127.0.0.1", 5900, 65535, &error);
    kiln_assert_no_error(error);
    second = vnc_module->listen_tcp(vnc, "127.0.0.1", first, 65535, &error);
    ck_assert_uint_gt(second, first);
    ck_assert_uint_eq(vnc_module->listen_tcp(vnc, "127.0.0.1", first, first, &error), 0);
    kiln_assert_error_has(error, "in use");
}
END_TEST

START_TEST(clients_come_over_tcp)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    VncClient client;
    guint width, height;

    open_vnc();
    address.sin_port = htons((uint16_t)vnc_module->listen_tcp(vnc, "127.0.0.1", 5900, 65535, NULL));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    vnc_client_init(&client, &(int){ 0 });
    client.fd = dup2(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client.fd);
    ck_assert_int_eq(connect(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    vnc_login(&client, TRUE, &width, &height);
    ck_assert_str_eq(events->str, "connected ipv4 none; initialized ipv4 none; ");
    vnc_client_clear(&client);
}
END_TEST

START_TEST(a_unix_socket_goes_with_the_server)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "vnc.sock", NULL);
    g_autoptr(GError) error = NULL;

    open_vnc();
    ck_assert(vnc_module->listen_unix(vnc, path, &error));
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
    vnc_module->close(g_steal_pointer(&vnc));
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(a_peer_may_have_any_path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "vnc.sock", NULL);
    g_autofree char *own = g_build_filename(dir, "\xff\xfe", NULL);
    VncClient client;
    guint width, height;

    open_vnc();
    ck_assert(vnc_module->listen_unix(vnc, path, NULL));
    vnc_client_init(&client, &(int){ 0 });
    client.fd = dup2(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client.fd);
    g_strlcpy(address.sun_path, own, sizeof address.sun_path);
    ck_assert_int_eq(bind(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    ck_assert_int_eq(connect(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    vnc_login(&client, TRUE, &width, &height);
    ck_assert_str_eq(events->str, "connected unix none; initialized unix none; ");
    vnc_client_clear(&client);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vnc");
    TCase *cases = kiln_test_case(suite, "vnc");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_picture_arrives_and_then_what_changes);
    tcase_add_test(cases, a_guest_without_a_display_is_black);
    tcase_add_test(cases, sizes_change_both_ways);
    tcase_add_test(cases, a_cursor_has_its_shape);
    tcase_add_test(cases, passwords_open_until_they_expire);
    tcase_add_test(cases, a_password_is_for_all_who_are_not_in_yet);
    tcase_add_test(cases, without_des_nobody_has_the_password);
    tcase_add_test(cases, tls_comes_before_the_password);
    tcase_add_test(cases, nobody_talks_in_the_clear_once_tls_is_agreed_on);
    tcase_add_test(cases, a_result_comes_after_tls_in_old_versions_too);
    tcase_add_test(cases, who_is_handed_in_needs_no_password);
    tcase_add_test(cases, old_versions_are_spoken);
    tcase_add_test(cases, one_may_be_alone);
    tcase_add_test(cases, or_has_to_share);
    tcase_add_test(cases, keys_are_pressed_and_let_go);
    tcase_add_test(cases, pointers_are_moved);
    tcase_add_test(cases, text_goes_to_the_others);
    tcase_add_test(cases, text_that_is_shorter_than_it_says_goes_nowhere);
    tcase_add_test(cases, a_client_that_takes_nothing_delays_nobody);
    tcase_add_test(cases, a_client_that_reads_no_text_gets_no_more);
    tcase_add_test(cases, what_it_asks_for_again_and_again_counts_too);
    tcase_add_test(cases, what_costs_others_is_rationed);
    tcase_add_test(cases, a_stream_that_never_drains_loses_nothing);
    tcase_add_test(cases, a_stream_ends_rather_than_leave_out_a_part);
    tcase_add_loop_test(cases, nonsense_ends_the_connection, 0, G_N_ELEMENTS(nonsense));
    tcase_add_test(cases, strangers_make_room);
    tcase_add_test(cases, ports_that_are_taken_are_passed_over);
    tcase_add_test(cases, clients_come_over_tcp);
    tcase_add_test(cases, a_unix_socket_goes_with_the_server);
    tcase_add_test(cases, a_peer_may_have_any_path);
    return suite;
}

KILN_TEST_MAIN(make_suite)
