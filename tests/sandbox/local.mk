# Unit tests of the room sandbox; see tests/local.mk for KILN_TEST_LIBS.
sandbox_tests = tests/sandbox/gdbus-test tests/sandbox/sandbox-test
check_PROGRAMS += $(sandbox_tests)
TESTS += $(sandbox_tests)
tests_sandbox_gdbus_test_SOURCES = tests/sandbox/gdbus-test.c
tests_sandbox_gdbus_test_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
tests_sandbox_gdbus_test_LDADD = $(KILN_TEST_LIBS) $(GIO_LIBS)
tests_sandbox_sandbox_test_SOURCES = tests/sandbox/sandbox-test.c

# With /dev/kvm: see tests/kvm/local.mk.
check_PROGRAMS += tests/sandbox/vcpu-kvm
KVM_TESTS += tests/sandbox/vcpu-kvm
tests_sandbox_vcpu_kvm_SOURCES = tests/sandbox/vcpu-kvm.c $(kvm_guest_sources)
