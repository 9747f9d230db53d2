/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's certificate, as libvirt and QEMU have it: PEM files of fixed names in a directory.
 */
#include "display/vnc-private.h"

#include "base/error.h"

static gboolean
load_authorities(gnutls_certificate_credentials_t credentials, const char *dir, GError **error)
{
    g_autofree char *ca = g_build_filename(dir, "ca-cert.pem", NULL);
    g_autofree char *revoked = g_build_filename(dir, "ca-crl.pem", NULL);
    int result = gnutls_certificate_set_x509_trust_file(credentials, ca, GNUTLS_X509_FMT_PEM);

    if (result < 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "cannot load '%s': %s", ca,
                              gnutls_strerror(result));
    if (!g_file_test(revoked, G_FILE_TEST_EXISTS))
        return TRUE;
    result = gnutls_certificate_set_x509_crl_file(credentials, revoked, GNUTLS_X509_FMT_PEM);
    if (result < 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "cannot load '%s': %s", revoked,
                              gnutls_strerror(result));
    return TRUE;
}

gnutls_certificate_credentials_t
kiln_vnc_tls_load(const char *dir, gboolean verify, GError **error)
{
    g_autofree char *certificate = g_build_filename(dir, "server-cert.pem", NULL);
    g_autofree char *key = g_build_filename(dir, "server-key.pem", NULL);
    gnutls_certificate_credentials_t credentials;
    int result = gnutls_certificate_allocate_credentials(&credentials);

    if (result >= 0) {
        result = gnutls_certificate_set_x509_key_file(credentials, certificate, key,
                                                      GNUTLS_X509_FMT_PEM);
        if (result >= 0 && (!verify || load_authorities(credentials, dir, error)))
            return credentials;
        gnutls_certificate_free_credentials(credentials);
    }
    if (result < 0)
        (void)kiln_error_set(error, KILN_ERROR_INVALID, "cannot load '%s' and '%s': %s",
                             certificate, key, gnutls_strerror(result));
    return NULL;
}
