noinst_LIBRARIES += libkiln-acpi.a
libkiln_acpi_a_SOURCES = \
	%D%/aml.c %D%/aml.h \
	%D%/blob.c %D%/blob.h \
	%D%/dsdt.c %D%/dsdt.h \
	%D%/fadt.c %D%/fadt.h \
	%D%/loader.c %D%/loader.h \
	%D%/resources.c %D%/resources.h \
	%D%/smbios.c %D%/smbios.h \
	%D%/tables.c %D%/tables.h \
	%D%/topology.c %D%/topology.h
