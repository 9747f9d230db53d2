# Unit tests of the room domain; see tests/local.mk for KILN_TEST_LIBS.

check_PROGRAMS += tests/domain/devices-test
TESTS += tests/domain/devices-test tests/domain/devices-schema-test.py
tests_domain_devices_test_SOURCES = tests/domain/devices-test.c
dist_check_SCRIPTS += tests/domain/devices-schema-test.py
EXTRA_DIST += tests/domain/golden-devices
