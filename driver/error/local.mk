noinst_LIBRARIES += libkiln-error.a
libkiln_error_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_error_a_SOURCES = %D%/vir-error.c %D%/vir-error.h
