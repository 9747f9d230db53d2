/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain XML: what parses is written so that it parses again to the same, assigned or not. */
#include "domain/domain.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(const KilnDomain *domain)
{
    g_autofree char *text = kiln_domain_format(domain, KILN_FORMAT_SECURE);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) again = kiln_domain_parse(text, strlen(text), faults);

    if (again == NULL)
        g_error("kiln's own XML is refused: %s: %s\n%s", kiln_faults_get(faults, 0)->path,
                kiln_faults_get(faults, 0)->message, text);
    if (!kiln_domain_equal(domain, again))
        g_error("another definition is read than was written:\n%s", text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_parse((const char *)data, size, faults);

    if (domain == NULL)
        return 0;
    check_round_trip(domain);
    (void)kiln_domain_validate(domain, faults);
    if (kiln_domain_assign(domain, faults))
        check_round_trip(domain);
    return 0;
}
