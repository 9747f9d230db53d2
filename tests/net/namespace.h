/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KILN_TEST_NAMESPACE_H
#define KILN_TEST_NAMESPACE_H

/* Makes this process root of a user and network namespace of its own.  NULL, or why it cannot be.
 */
const char *kiln_test_enter_namespace(void);

#endif
