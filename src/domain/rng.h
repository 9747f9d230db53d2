/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <rng>: where a guest's virtio-rng takes its randomness from, and how fast. */
#ifndef KILN_DOMAIN_RNG_H
#define KILN_DOMAIN_RNG_H

#include "domain/address.h"
#include "domain/chardev.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_RNG_BACKEND_MODEL_RANDOM,
    KILN_RNG_BACKEND_MODEL_EGD,
    KILN_RNG_BACKEND_MODEL_BUILTIN,
    KILN_N_RNG_BACKEND_MODEL
} KilnRngBackendModel;

extern const char *const kiln_rng_backend_model_names[KILN_N_RNG_BACKEND_MODEL];

typedef struct {
    KilnRngBackendModel model;
    char *path; /* (owned) (nullable) a character device of the host; NULL is /dev/urandom */
    KilnCharSource egd; /* where the entropy gathering daemon is */
} KilnRngBackend;

typedef struct {
    KilnXmlPlace place;
    KilnVirtioModel model;
    KilnRngBackend backend;
    KilnVirtioDriver virtio;
    KilnUint rate_bytes; /* per period */
    KilnUint rate_period_ms;
    KilnDeviceInfo info;
} KilnRng;

KILN_FAMILY_DECLARE(KilnRng, rng)

#endif
