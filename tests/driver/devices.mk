# Unit tests of the driver: typed parameters, statistics, tuning, devices.
driver_devices_tests = tests/driver/rpc-params-test tests/driver/ops-devices-test
check_PROGRAMS += $(driver_devices_tests)
TESTS += $(driver_devices_tests)
tests_driver_rpc_params_test_SOURCES = tests/driver/rpc-params-test.c
tests_driver_rpc_params_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_params_test_LDADD = libkiln-test.a libkiln-rpc.a libkiln-protocol.a libkiln-error.a \
	libkiln-base.a $(CHECK_LIBS) $(TIRPC_LIBS) $(KILN_LIBS)
tests_driver_ops_devices_test_SOURCES = tests/driver/ops-devices-test.c \
	tests/driver/fake-call.c tests/driver/fake-call.h \
	tests/driver/fake-guest.c tests/driver/fake-guest.h
tests_driver_ops_devices_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_ops_devices_test_LDADD = libkiln-test.a libkiln-ops.a libkiln-agent.a libkiln-rpc.a libkiln-protocol.a \
	libkiln-error.a libkiln-firmware.a libkiln-domain.a libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(TIRPC_LIBS) \
	$(JSON_LIBS) $(KILN_LIBS)
TESTS += tests/driver/virsh-config-test.py
dist_check_SCRIPTS += tests/driver/virsh-config-test.py
