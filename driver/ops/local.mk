noinst_LIBRARIES += libkiln-ops.a
libkiln_ops_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_ops_a_SOURCES = \
	%D%/driver.h
