# virtkilnd itself: command line, configuration, sockets.
noinst_LIBRARIES += libkiln-daemon.a
libkiln_daemon_a_CFLAGS = $(AM_DRIVER_CFLAGS)
# Sockets are where libvirt's clients look, whatever the prefix.
libkiln_daemon_a_CPPFLAGS = $(AM_CPPFLAGS) -DKILN_SYSCONF_DIR='"$(sysconfdir)"' \
	-DKILN_RUN_DIR='"/run"' \
	-DKILN_BIN_DIR='"$(bindir)"'
libkiln_daemon_a_SOURCES = \
	%D%/config.c %D%/config.h \
	%D%/paths.c %D%/paths.h \
	%D%/sockets.c %D%/sockets.h

sbin_PROGRAMS += virtkilnd
virtkilnd_SOURCES = %D%/main.c
virtkilnd_CFLAGS = $(AM_DRIVER_CFLAGS)
virtkilnd_LDADD = libkiln-daemon.a $(KILN_DRIVER_LIBS)
virtkilnd_LDFLAGS = $(AM_LDFLAGS) $(KILN_PACK_RELOCS)
