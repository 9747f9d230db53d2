noinst_LIBRARIES += libkiln-acpi.a
libkiln_acpi_a_SOURCES =
