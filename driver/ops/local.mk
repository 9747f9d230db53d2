noinst_LIBRARIES += libkiln-ops.a
libkiln_ops_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_ops_a_SOURCES = \
	%D%/common.c \
	%D%/connect.c \
	%D%/domain-list.c \
	%D%/driver.h \
	%D%/tables.c \
	%D%/tables.h
