# Unit tests of the room kvm, without KVM: NAME-test, in `make check`.
# Tiny guests on /dev/kvm: NAME-kvm, in `make check-kvm`; each skips itself, with the reason, where
# /dev/kvm cannot be used.
kvm_tests = tests/kvm/cpuid-test tests/kvm/state-test tests/kvm/topology-test
check_PROGRAMS += $(kvm_tests)
TESTS += $(kvm_tests)
tests_kvm_cpuid_test_SOURCES = tests/kvm/cpuid-test.c
tests_kvm_state_test_SOURCES = tests/kvm/state-test.c
tests_kvm_topology_test_SOURCES = tests/kvm/topology-test.c

kvm_guest_tests = tests/kvm/irq-kvm tests/kvm/state-kvm tests/kvm/vcpu-kvm
check_PROGRAMS += $(kvm_guest_tests)
KVM_TESTS += $(kvm_guest_tests)
kvm_guest_sources = tests/kvm/guest.c tests/kvm/guest.h tests/kvm/irq-guest.c tests/kvm/irq-guest.h
tests_kvm_irq_kvm_SOURCES = tests/kvm/irq-kvm.c $(kvm_guest_sources)
tests_kvm_state_kvm_SOURCES = tests/kvm/state-kvm.c $(kvm_guest_sources)
tests_kvm_vcpu_kvm_SOURCES = tests/kvm/vcpu-kvm.c $(kvm_guest_sources)

# Never true: it makes automake write the rules that run one of KVM_TESTS.
if KVM_TESTS_IN_CHECK
TESTS += $(KVM_TESTS)
endif
check-kvm: all $(KVM_TESTS) $(KVM_TEST_FILES)
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(KVM_TESTS)'
.PHONY: check-kvm
