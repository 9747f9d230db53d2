noinst_LIBRARIES += libkiln-boot.a
libkiln_boot_a_SOURCES = \
	%D%/boot.h
