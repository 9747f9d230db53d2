/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See host.h. */
#include "vfio/host.h"

#include <errno.h>
#include <sys/ioctl.h>

static int
kernel_ioctl(int fd, unsigned long request, void *argument)
{
    int result;

    do
        result = ioctl(fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result;
}

const KilnVfioHost kiln_vfio_host = { .root = "", .ioctl = kernel_ioctl };
