/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who a document is about: what is taken from it without parsing is what parsing finds. */
#include "domain/domain.h"
#include "guest/head.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = NULL;
    g_auto(KilnHead) head = { 0 };
    guint8 uuid[KILN_UUID_BYTES];

    (void)kiln_head_is_whole((const char *)data, size);
    if (!kiln_head_read_canonical((const char *)data, size, &head))
        return 0;
    domain = kiln_domain_parse((const char *)data, size, faults);
    if (domain == NULL) /* it is broken further on */
        return 0;
    if (strcmp(domain->name, head.name) != 0 || domain->uuid == NULL ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), uuid) ||
        memcmp(uuid, head.uuid, sizeof uuid) != 0 || (head.id >= 0 && domain->id.value != head.id))
        g_error("parsing finds another domain: '%s', not '%s'", domain->name, head.name);
    return 0;
}
