noinst_LIBRARIES += libkiln-caps.a
libkiln_caps_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_caps_a_SOURCES = \
	%D%/caps.h
