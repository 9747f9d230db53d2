/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/text.h"

bool_t
kiln_text_xdr(XDR *xdr, char **text, u_int max)
{
    if (!xdr_string(xdr, text, max))
        return FALSE;
    return xdr->x_op != XDR_DECODE || g_utf8_validate(*text, -1, NULL);
}
