noinst_LIBRARIES += libkiln-relay.a
libkiln_relay_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_relay_a_SOURCES = \
	%D%/relay.h
