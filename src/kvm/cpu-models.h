/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Named CPU models as libvirt's cpu_map has them: identity and features. */
#ifndef KILN_KVM_CPU_MODELS_H
#define KILN_KVM_CPU_MODELS_H

#include <glib.h>
#include <stdint.h>

#include "kvm/cpu-features.h"

typedef struct {
    const char *name;
    const char *vendor; /* (nullable) CPUID's 12 characters; NULL: the host's */
    uint8_t family;     /* 0: the model has no signature; the host's is used */
    uint8_t model;
    uint8_t stepping;
    const uint8_t *also_models; /* (nullable) 0-terminated: further models of the same family */
    const char *base;           /* (nullable) the model whose features it has too, but for @lacks */
    const uint16_t *adds;       /* (nullable) of KilnCpuFeatureId, to KILN_CPU_N_FEATURES */
    const uint16_t *lacks;      /* (nullable) likewise */
} KilnCpuModel;

/**
 * kiln_cpu_models:
 * @n_models: (out): how many
 *
 * Returns: (transfer none): the table, of a family the older models first.
 */
const KilnCpuModel *kiln_cpu_models(guint *n_models);

/* The model called @name, or NULL. */
const KilnCpuModel *kiln_cpu_model_find(const char *name);

/* The features of @model. */
void kiln_cpu_model_features(const KilnCpuModel *model, KilnCpuFeatureSet *set);

#endif
