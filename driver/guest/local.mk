noinst_LIBRARIES += libkiln-guest.a
libkiln_guest_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_guest_a_SOURCES = \
	%D%/guest.h \
	%D%/list.h
