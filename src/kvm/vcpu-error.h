/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU died of, in words: the reason, the instruction and where it was. */
#ifndef KILN_KVM_VCPU_ERROR_H
#define KILN_KVM_VCPU_ERROR_H

#include <glib.h>
#include <linux/kvm.h>

#include "kvm/vcpu.h"

/* Sets @error for an exit that cannot be gone on from. */
void kiln_vcpu_exit_error(KilnVcpu *vcpu, const struct kvm_run *run, GError **error);

/* Sets @error for a KVM_RUN that failed with @errnum. */
void kiln_vcpu_run_error(KilnVcpu *vcpu, int errnum, GError **error);

#endif
