noinst_LIBRARIES += libkiln-ops.a
libkiln_ops_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_ops_a_SOURCES = \
	%D%/autodestroy.c \
	%D%/common.c \
	%D%/connect.c \
	%D%/document.c \
	%D%/document.h \
	%D%/domain-config.c \
	%D%/domain-define.c \
	%D%/domain-info.c \
	%D%/domain-list.c \
	%D%/domain-xml.c \
	%D%/driver.h \
	%D%/events.c \
	%D%/host-cpu.c \
	%D%/host-devices.c \
	%D%/host-statistics.c \
	%D%/host-work.c %D%/host-work.h \
	%D%/host.c \
	%D%/lifecycle.c \
	%D%/lifecycle.h \
	%D%/metadata.c \
	%D%/refused.c \
	%D%/saved.c \
	%D%/tables.c \
	%D%/tables.h
