noinst_LIBRARIES += libkiln-relay.a
libkiln_relay_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_relay_a_SOURCES = \
	%D%/link.c %D%/link.h \
	%D%/procedures.c %D%/procedures.h \
	%D%/relay.c %D%/relay.h \
	%D%/session.c %D%/session.h %D%/session-private.h \
	%D%/session-boot.c \
	%D%/session-events.c \
	%D%/storage.c %D%/storage.h %D%/storage-private.h \
	%D%/storage-copy.c \
	%D%/storage-pool.c \
	%D%/storage-thread.c \
	%D%/storage-volume.c \
	%D%/storage-xml.c
