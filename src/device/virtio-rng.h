/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entropy device (virtio 1.2 §5.4): one queue of buffers that are filled with random bytes.
 *
 *   kick -> pop -> as much as the rate allows -> getrandom() or read() into the guest's buffer ->
 * push kick -> pop -> ask the daemon (EGD) -> its bytes as they come -> push
 *
 * A buffer gets at most KILN_VIRTIO_RNG_CHUNK bytes; §5.4.6.2 lets a device give fewer than there
 * is room for.  Everything runs in the main thread.
 */
#ifndef KILN_DEVICE_VIRTIO_RNG_H
#define KILN_DEVICE_VIRTIO_RNG_H

#include "chardev/chardev.h"
#include "device/clock.h"
#include "virtio/device.h"

enum {
    KILN_VIRTIO_RNG_CHUNK = 4096,  /* bytes a buffer gets at most */
    KILN_VIRTIO_RNG_EGD_MAX = 255, /* bytes one request of the EGD protocol can ask for */
};

typedef enum {
    KILN_VIRTIO_RNG_BUILTIN, /* the host kernel's generator, getrandom(2) */
    KILN_VIRTIO_RNG_RANDOM,  /* a file of the host: /dev/urandom, /dev/random, /dev/hwrng */
    KILN_VIRTIO_RNG_EGD,     /* an entropy gathering daemon behind a chardev */
} KilnVirtioRngBackend;

/**
 * KilnVirtioRngOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @fd: (transfer full): of KILN_VIRTIO_RNG_RANDOM, made non-blocking; -1: @path is opened
 * @path: (nullable): of KILN_VIRTIO_RNG_RANDOM without @fd; NULL and "/dev/urandom" need no file:
 *   they are getrandom(2)
 * @chardev: of KILN_VIRTIO_RNG_EGD, whose front end the device is from now on; outlives it
 * @rate_bytes: at most so many bytes in each @rate_period_ms; 0: no limit
 * @clock: the guest's
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnVirtioRngBackend backend;
    int fd;
    const char *path;
    KilnChardev *chardev;
    uint32_t rate_bytes;
    uint32_t rate_period_ms;
    KilnClock *clock;
} KilnVirtioRngOptions;

/* Returns: (transfer full): for a transport; NULL with @error set, @fd closed.  Main thread. */
KilnVirtioDevice *kiln_virtio_rng_new(const KilnVirtioRngOptions *options, GError **error);

/* Random bytes given to the guest since it was started. */
uint64_t kiln_virtio_rng_given(const KilnVirtioDevice *device);

#endif
