# Unit tests of driver/caps.
caps_tests = tests/driver/caps-test tests/driver/caps-cpu-test
check_PROGRAMS += $(caps_tests) tests/driver/caps-print
TESTS += $(caps_tests) tests/driver/caps-schema-test.sh tests/driver/caps-virtinst-test.sh
dist_check_SCRIPTS += tests/driver/caps-schema-test.sh tests/driver/caps-virtinst-test.sh
CAPS_TEST_LIBS = libkiln-test.a libkiln-caps.a libkiln-error.a libkiln-kvm.a libkiln-memory.a libkiln-firmware.a \
	libkiln-state.a libkiln-domain.a libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(JSON_LIBS) $(KILN_LIBS)
tests_driver_caps_test_SOURCES = tests/driver/caps-test.c tests/driver/fake-host.c tests/driver/fake-host.h
tests_driver_caps_test_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_driver_caps_test_LDADD = $(CAPS_TEST_LIBS)
tests_driver_caps_print_SOURCES = tests/driver/caps-print.c tests/driver/fake-host.c tests/driver/fake-host.h
tests_driver_caps_print_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_driver_caps_print_LDADD = $(CAPS_TEST_LIBS)
tests_driver_caps_cpu_test_SOURCES = tests/driver/caps-cpu-test.c tests/driver/fake-host.c tests/driver/fake-host.h
tests_driver_caps_cpu_test_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_driver_caps_cpu_test_LDADD = $(CAPS_TEST_LIBS)

# Calls about the host, on a fake one and without a socket.
check_PROGRAMS += tests/driver/ops-host-test
TESTS += tests/driver/ops-host-test
tests_driver_ops_host_test_SOURCES = tests/driver/ops-host-test.c \
	tests/driver/fake-call.c tests/driver/fake-call.h \
	tests/driver/fake-guest.c tests/driver/fake-guest.h \
	tests/driver/fake-host.c tests/driver/fake-host.h
tests_driver_ops_host_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_ops_host_test_LDADD = libkiln-test.a libkiln-ops.a libkiln-agent.a libkiln-caps.a libkiln-rpc.a \
	libkiln-protocol.a libkiln-error.a libkiln-kvm.a libkiln-memory.a libkiln-firmware.a libkiln-state.a \
	libkiln-domain.a libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(TIRPC_LIBS) $(JSON_LIBS) \
	$(KILN_LIBS)
