noinst_LIBRARIES += libkiln-block.a
libkiln_block_a_SOURCES = \
	%D%/block.c %D%/block.h \
	%D%/bucket.c %D%/bucket.h \
	%D%/fault.c %D%/fault.h \
	%D%/file.c %D%/file.h \
	%D%/file-part.h %D%/file-slow.c \
	%D%/file-probe.c %D%/file-probe.h \
	%D%/lock.c %D%/lock.h \
	%D%/open.c %D%/open.h \
	%D%/slice.c %D%/slice.h \
	%D%/throttle.c %D%/throttle.h \
	%D%/zeroes.c %D%/zeroes.h \
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

# The qcow2 format.
libkiln_block_a_SOURCES += \
	%D%/qcow2.c \
	%D%/qcow2-alloc.c \
	%D%/qcow2-cache.c \
	%D%/qcow2-flush.c \
	%D%/qcow2-format.h \
	%D%/qcow2-free.c \
	%D%/qcow2-header.c %D%/qcow2-header.h \
	%D%/qcow2-io.c \
	%D%/qcow2-map.c \
	%D%/qcow2-open.c \
	%D%/qcow2-private.h \
	%D%/qcow2-read.c \
	%D%/qcow2-refcount.c \
	%D%/qcow2-repair.c \
	%D%/qcow2-resize.c \
	%D%/qcow2-snapshot.c \
	%D%/qcow2-task.c %D%/qcow2-task.h \
	%D%/qcow2-unzip.h \
	%D%/qcow2-write.c \
	%D%/qcow2-zero.c

# Compressed clusters: loaded by who meets one.
module_PROGRAMS += qcow2-zlib.so qcow2-zstd.so
qcow2_zlib_so_SOURCES = %D%/qcow2-zlib.c
qcow2_zlib_so_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) -fPIC
qcow2_zlib_so_LDFLAGS = $(AM_LDFLAGS) -shared
qcow2_zlib_so_LDADD = $(ZLIB_LIBS)
qcow2_zstd_so_SOURCES = %D%/qcow2-zstd.c
qcow2_zstd_so_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS) -fPIC
qcow2_zstd_so_LDFLAGS = $(AM_LDFLAGS) -shared
qcow2_zstd_so_LDADD = $(ZSTD_LIBS)
