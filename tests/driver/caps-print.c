/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caps-print FOLDER: writes what the fake hosts' capabilities are, for caps-schema-test.sh */
#include <stdlib.h>

#include "caps/caps.h"
#include "tests/driver/fake-host.h"

static void
save(const char *folder, const char *host, const char *what, char *text)
{
    g_autofree char *path = g_strdup_printf("%s/%s-%s.xml", folder, host, what);
    g_autofree char *owned = text;

    if (owned == NULL || !g_file_set_contents(path, owned, -1, NULL))
        exit(1);
}

int
main(int argc, char **argv)
{
    static const char *const hosts[] = { "small", "large", "bare" };
    static const guint8 uuid[16] = { 1, 2, 3 };

    if (argc != 2)
        return 2;
    for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++) {
        g_autofree char *tree = g_build_filename(argv[1], hosts[i], NULL);

        kiln_fake_host_at(hosts[i], tree);
        save(argv[1], hosts[i], "capabilities", kiln_caps_format("/usr/bin/kiln", uuid));
        save(argv[1], hosts[i], "domcaps",
             kiln_caps_domain("/usr/bin/kiln", NULL, NULL, NULL, NULL, NULL));
    }
    return 0;
}
