# A module of the program; a part of virtkilnd, which has json-glib anyway.
firmware_files = \
	%D%/choose.c %D%/choose.h \
	%D%/descriptor.c %D%/descriptor.h \
	%D%/firmware.h

module_PROGRAMS += firmware.so
firmware_so_SOURCES = $(firmware_files) %D%/module.c
firmware_so_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS) -fPIC
firmware_so_LDFLAGS = $(AM_LDFLAGS) -shared
firmware_so_LDADD = $(JSON_LIBS)

noinst_LIBRARIES += libkiln-firmware.a
libkiln_firmware_a_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
libkiln_firmware_a_SOURCES = $(firmware_files)
