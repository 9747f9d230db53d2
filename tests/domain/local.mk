# Unit tests of the room domain; see tests/local.mk for KILN_TEST_LIBS.

check_PROGRAMS += tests/domain/devices-test
TESTS += tests/domain/devices-test tests/domain/devices-schema-test.py
tests_domain_devices_test_SOURCES = tests/domain/devices-test.c
dist_check_SCRIPTS += tests/domain/devices-schema-test.py
EXTRA_DIST += tests/domain/golden-devices

domain_tests = tests/domain/domain-test tests/domain/edit-test tests/domain/fields-test tests/domain/rules-test \
    tests/domain/schema-test
check_PROGRAMS += $(domain_tests)
TESTS += $(domain_tests) tests/domain/libvirt-schema-test.sh tests/domain/kiln-schema-test.sh
tests_domain_domain_test_SOURCES = tests/domain/domain-test.c
tests_domain_edit_test_SOURCES = tests/domain/edit-test.c
tests_domain_fields_test_SOURCES = tests/domain/fields-test.c
tests_domain_rules_test_SOURCES = tests/domain/rules-test.c
tests_domain_schema_test_SOURCES = tests/domain/schema-test.c
dist_check_SCRIPTS += tests/domain/libvirt-schema-test.sh tests/domain/kiln-schema-test.sh
EXTRA_DIST += tests/domain/golden tests/domain/faults
