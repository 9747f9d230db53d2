noinst_LIBRARIES += libkiln-acpi.a
libkiln_acpi_a_SOURCES = \
	%D%/aml.h \
	%D%/resources.h \
	%D%/smbios.h \
	%D%/tables.h
