relay_wire = tests/driver/relay/wire.c tests/driver/relay/wire.h
relay_libs = libkiln-relay.a libkiln-rpc.a libkiln-protocol.a libkiln-error.a $(GIO_LIBS) \
	$(TIRPC_LIBS) $(LDADD)
check_PROGRAMS += tests/driver/relay/relay-session-test
tests_driver_relay_relay_session_test_SOURCES = tests/driver/relay/relay-session-test.c \
	$(relay_wire)
tests_driver_relay_relay_session_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_relay_relay_session_test_LDADD = $(relay_libs)
TESTS += tests/driver/relay/relay-session-test

check_PROGRAMS += tests/driver/relay/relay-storage-test
tests_driver_relay_relay_storage_test_SOURCES = tests/driver/relay/relay-storage-test.c
tests_driver_relay_relay_storage_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_relay_relay_storage_test_LDADD = $(relay_libs)
TESTS += tests/driver/relay/relay-storage-test

check_PROGRAMS += tests/driver/relay/relay-libvirtd-test
tests_driver_relay_relay_libvirtd_test_SOURCES = tests/driver/relay/relay-libvirtd-test.c \
	$(relay_wire)
tests_driver_relay_relay_libvirtd_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_relay_relay_libvirtd_test_LDADD = $(relay_libs)
TESTS += tests/driver/relay/relay-libvirtd-test
