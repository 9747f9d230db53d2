# Unit tests of the room daemon.
check_PROGRAMS += tests/driver/daemon-config-test
TESTS += tests/driver/daemon-config-test
tests_driver_daemon_config_test_SOURCES = tests/driver/daemon-config-test.c
tests_driver_daemon_config_test_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_driver_daemon_config_test_LDADD = libkiln-test.a libkiln-daemon.a libkiln-control.a $(KILN_TEST_LIBS)
