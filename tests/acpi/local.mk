# Unit tests of the room acpi; see tests/local.mk for KILN_TEST_LIBS.
