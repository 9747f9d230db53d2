noinst_LIBRARIES += libkiln-caps.a
libkiln_caps_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_caps_a_SOURCES = \
	%D%/capabilities.c \
	%D%/caps.h \
	%D%/domain-capabilities.c \
	%D%/host.c %D%/host.h \
	%D%/host-cpu.c %D%/host-cpu.h \
	%D%/host-topology.c %D%/host-topology.h \
	%D%/machines.c %D%/machines.h
