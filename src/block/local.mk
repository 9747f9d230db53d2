noinst_LIBRARIES += libkiln-block.a
libkiln_block_a_SOURCES = \
	%D%/block.h \
	%D%/file.h \
	%D%/qcow2.h \
	%D%/nbd.c %D%/nbd.h \
	%D%/nbd-limits.c %D%/nbd-limits.h \
	%D%/nbd-module.h

# NBD disks: libnbd, with GnuTLS and libxml2 behind it, is loaded by the guests that have one.
module_PROGRAMS += nbd.so
nbd_so_SOURCES = \
	%D%/nbd-client.c \
	%D%/nbd-connect.c %D%/nbd-connect.h
nbd_so_CFLAGS = $(AM_CFLAGS) $(NBD_CFLAGS) -fPIC
nbd_so_LDFLAGS = $(AM_LDFLAGS) -shared
nbd_so_LDADD = $(NBD_LIBS)
