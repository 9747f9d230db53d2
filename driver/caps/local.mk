noinst_LIBRARIES += libkiln-caps.a
libkiln_caps_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_caps_a_SOURCES = \
	%D%/capabilities.c \
	%D%/caps.h \
	%D%/cpu-definition.c %D%/cpu-definition.h \
	%D%/domain-capabilities.c \
	%D%/host.c %D%/host.h \
	%D%/host-cpu.c %D%/host-cpu.h \
	%D%/host-pci.c %D%/host-pci.h \
	%D%/host-statistics.c %D%/host-statistics.h \
	%D%/host-topology.c \
	%D%/machines.c %D%/machines.h \
	%D%/sysinfo.c
