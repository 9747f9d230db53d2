# Unit tests of the room acpi; see tests/local.mk for KILN_TEST_LIBS.
acpi_tests = tests/acpi/aml-test tests/acpi/loader-test tests/acpi/smbios-test tests/acpi/tables-test
check_PROGRAMS += $(acpi_tests)
TESTS += $(acpi_tests)
tests_acpi_aml_test_SOURCES = tests/acpi/aml-test.c
tests_acpi_loader_test_SOURCES = tests/acpi/loader-test.c
tests_acpi_smbios_test_SOURCES = tests/acpi/smbios-test.c
tests_acpi_tables_test_SOURCES = tests/acpi/tables-test.c
EXTRA_DIST += %D%/golden/least.hex %D%/golden/usual.hex %D%/golden/full.hex \
	%D%/golden/tpm-crb.hex %D%/golden/tpm-tis.hex %D%/golden/tpm-1.2.hex %D%/golden/modules.hex
