noinst_LIBRARIES += libkiln-kvm.a
libkiln_kvm_a_SOURCES = \
	%D%/cpu-features.h \
	%D%/cpu-models.h \
	%D%/cpuid.h \
	%D%/irq.h \
	%D%/kvm.h \
	%D%/topology.c %D%/topology.h \
	%D%/vcpu.h \
	%D%/vm.h
