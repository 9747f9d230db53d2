/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/text-rules.h"

#include <arpa/inet.h>
#include <string.h>

gboolean
kiln_text_rule_allows(const KilnTextRule *rule, const char *text)
{
    if (rule->max != 0 && strlen(text) > rule->max)
        return FALSE;
    if (rule->check != NULL)
        return rule->check(text);
    for (const char *p = text; *p != '\0'; p++)
        if (!g_ascii_isalnum(*p) && strchr(rule->extra, *p) == NULL)
            return FALSE;
    return *text != '\0';
}

static gboolean
path(const char *text)
{
    return text[0] == '/' && text[1] != '\0' && strchr(text, '\n') == NULL;
}

static gboolean
device_name(const char *text)
{
    return kiln_text_rule_allows(&kiln_device_rule, text);
}

static gboolean
block(const char *text)
{
    return path(text) || device_name(text);
}

static gboolean
ipv4(const char *text)
{
    struct in_addr address;

    return inet_pton(AF_INET, text, &address) == 1;
}

/* libvirt's pattern for IPv6 knows no embedded IPv4 address. */
static gboolean
ip(const char *text)
{
    struct in6_addr address;

    return ipv4(text) || (inet_pton(AF_INET6, text, &address) == 1 && strchr(text, '.') == NULL);
}

static gboolean
host(const char *text)
{
    static const KilnTextRule dns = { .extra = ".-" };

    return ip(text) || kiln_text_rule_allows(&dns, text);
}

/* Whether the first @n characters are hexadecimal digits. */
static gboolean
hex_digits(const char *text, guint n)
{
    for (guint i = 0; i < n; i++)
        if (!g_ascii_isxdigit(text[i]))
            return FALSE;
    return TRUE;
}

/* The least bit of the first byte tells a group address from a station's (IEEE 802-2014 §8.2.2). */
static gboolean
mac(const char *text)
{
    if (strlen(text) != 17)
        return FALSE;
    for (guint i = 0; i < 6; i++)
        if (!hex_digits(text + 3 * i, 2) || (i < 5 && text[3 * i + 2] != ':'))
            return FALSE;
    return g_ascii_xdigit_value(text[1]) % 2 == 0;
}

static gboolean
uuid(const char *text)
{
    return g_uuid_string_is_valid(text) || (strlen(text) == 32 && hex_digits(text, 32));
}

static gboolean
no_slash(const char *text)
{
    return *text != '\0' && strpbrk(text, "/\n") == NULL;
}

/* Up to four numbers of up to three hexadecimal digits each. */
static gboolean
usb_port(const char *text)
{
    g_auto(GStrv) ports = g_strsplit(text, ".", -1);
    guint n = g_strv_length(ports);

    for (guint i = 0; i < n; i++) {
        const char *digits = g_str_has_prefix(ports[i], "0x") ? ports[i] + 2 : ports[i];
        gsize length = strlen(digits);

        if (length < 1 || length > 3 || !hex_digits(digits, (guint)length))
            return FALSE;
    }
    return n >= 1 && n <= 4;
}

static gboolean
disk_target(const char *text)
{
    static const char *const prefixes[] = { "fd", "hd", "sd", "vd", "xvd", "ubd" };
    static const KilnTextRule rest = { .extra = "_" };

    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(text, prefixes[i]) &&
            kiln_text_rule_allows(&rest, text + strlen(prefixes[i])))
            return TRUE;
    return FALSE;
}

static gboolean
wwn(const char *text)
{
    const char *digits = g_str_has_prefix(text, "0x") ? text + 2 : text;

    return strlen(digits) == 16 && hex_digits(digits, 16);
}

static gboolean
wwpn(const char *text)
{
    return g_str_has_prefix(text, "naa.") && strlen(text) == 20 && hex_digits(text + 4, 16);
}

/* SCSI's standard inquiry data holds printable ASCII (SPC-4 §4.4.1). */
static gboolean
printable(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!g_ascii_isprint(*p))
            return FALSE;
    return TRUE;
}

static gboolean
any(const char *text)
{
    return text != NULL;
}

/* Cookie octets, perhaps in double quotes: RFC 6265 §4.1.1. */
static gboolean
cookie_value(const char *text)
{
    gsize length = strlen(text);
    gboolean quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';

    for (gsize i = quoted ? 1 : 0; i < length - (quoted ? 1 : 0); i++)
        if (!g_ascii_isalnum(text[i]) && strchr("!#$%&'()*+-./:>=<?@^_`[]|~", text[i]) == NULL)
            return FALSE;
    return length > (quoted ? 2 : 0);
}

static gboolean
unit(const char *text)
{
    static const char *const plain[] = { "b", "byte", "bytes" };
    static const char *const tails[] = { "", "b", "ib" };

    for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
        if (g_ascii_strcasecmp(text, plain[i]) == 0)
            return TRUE;
    if (*text == '\0' || strchr("kmgtpeKMGTPE", *text) == NULL)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(tails); i++)
        if (g_ascii_strcasecmp(text + 1, tails[i]) == 0)
            return TRUE;
    return FALSE;
}

/* Also "2010-04-09T15:51:00" with no zone, which libvirt reads as UTC. */
static gboolean
datetime(const char *text)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

    return time != NULL && strlen(text) >= 19 && text[4] == '-' && text[10] == 'T' &&
           text[13] == ':';
}

const KilnTextRule kiln_path_rule = { .wants = "an absolute path", .check = path };
const KilnTextRule kiln_alias_rule = { .wants = "an alias of letters, digits and _ - .",
                                       .extra = "_-." };
const KilnTextRule kiln_usb_port_rule = { .wants = "a port such as 2, or 2.1 behind a hub",
                                          .check = usb_port };
const KilnTextRule kiln_block_rule = { .wants = "an absolute path or a device name",
                                       .check = block };
const KilnTextRule kiln_device_rule = { .wants =
                                            "a device name of letters, digits and _ . - \\ : /",
                                        .extra = "_.-\\:/" };
const KilnTextRule kiln_device_path_rule = { .wants = "a device name or path",
                                             .check = device_name };
const KilnTextRule kiln_generic_rule = { .wants = "a name of letters, digits and _ + -",
                                         .extra = "_+-" };
const KilnTextRule kiln_host_rule = { .wants = "a host name or an IP address", .check = host };
const KilnTextRule kiln_ip_rule = { .wants = "an IPv4 or IPv6 address", .check = ip };
const KilnTextRule kiln_ipv4_rule = { .wants = "an IPv4 address", .check = ipv4 };
const KilnTextRule kiln_mac_rule = { .wants = "a unicast MAC address such as 52:54:00:12:34:56",
                                     .check = mac };
const KilnTextRule kiln_uuid_rule = { .wants = "a UUID", .check = uuid };
const KilnTextRule kiln_no_slash_rule = { .wants = "a name without '/'", .check = no_slash };
const KilnTextRule kiln_disk_target_rule = {
    .wants = "a name such as vda: fd, hd, sd, vd, xvd or ubd, then letters, digits and _",
    .check = disk_target
};
const KilnTextRule kiln_disk_serial_rule = { .wants = "letters, digits, spaces and _ . + -",
                                             .extra = "_.+- " };
const KilnTextRule kiln_wwn_rule = { .wants = "16 hexadecimal digits", .check = wwn };
const KilnTextRule kiln_wwpn_rule = { .wants = "'naa.' and 16 hexadecimal digits", .check = wwpn };
const KilnTextRule kiln_scsi_vendor_rule = { .wants = "at most 8 printable characters",
                                             .max = 8,
                                             .check = printable };
const KilnTextRule kiln_scsi_product_rule = { .wants = "at most 16 printable characters",
                                              .max = 16,
                                              .check = printable };
const KilnTextRule kiln_cookie_name_rule = { .wants = "a token of RFC 6265",
                                             .extra = "!#$%&'*+-.^_`|~" };
const KilnTextRule kiln_cookie_value_rule = { .wants = "a cookie value of RFC 6265",
                                              .check = cookie_value };
const KilnTextRule kiln_profile_id_rule = { .wants = "at most 39 characters",
                                            .max = 39,
                                            .check = any };
const KilnTextRule kiln_model_rule = { .wants = "a model name of letters, digits and - _",
                                       .extra = "-_" };
const KilnTextRule kiln_unit_rule = { .wants = "a unit such as KiB, MB or bytes", .check = unit };
const KilnTextRule kiln_datetime_rule = { .wants = "a time such as 2010-04-09T15:51:00",
                                          .check = datetime };
