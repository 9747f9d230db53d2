noinst_LIBRARIES += libkiln-kvm.a
libkiln_kvm_a_SOURCES = \
	%D%/cpu-features.c %D%/cpu-features.h \
	%D%/cpu-models.c %D%/cpu-models.h \
	%D%/cpuid.c %D%/cpuid.h \
	%D%/cpuid-leaves.c %D%/cpuid-leaves.h \
	%D%/irq.c %D%/irq.h \
	%D%/kvm.c %D%/kvm.h \
	%D%/msr.c %D%/msr.h \
	%D%/topology.c %D%/topology.h \
	%D%/vcpu.c %D%/vcpu.h \
	%D%/vcpu-error.c %D%/vcpu-error.h \
	%D%/vcpu-start.c %D%/vcpu-start.h \
	%D%/vcpu-state.c %D%/vcpu-state.h \
	%D%/vm.c %D%/vm.h \
	%D%/vm-state.c %D%/vm-state.h
