# What the guest shows, and where keys and pointer go.
noinst_LIBRARIES += libkiln-display.a
libkiln_display_a_SOURCES = \
	%D%/input.c %D%/input.h \
	%D%/surface.c %D%/surface.h

# VNC: libvncserver and GnuTLS are loaded by the guests that have <graphics type='vnc'/>.
module_PROGRAMS += vnc.so
vnc_sources = \
	src/display/keymap.c %D%/keymap.h \
	src/display/vnc.h \
	src/display/vnc-client.c \
	src/display/vnc-handshake.c %D%/vnc-handshake.h \
	src/display/vnc-input.c \
	src/display/vnc-message.c %D%/vnc-message.h \
	src/display/vnc-private.h \
	src/display/vnc-screen.c \
	src/display/vnc-server.c \
	src/display/vnc-stream.c %D%/vnc-stream.h \
	src/display/vnc-tls.c
vnc_so_SOURCES = $(vnc_sources)
vnc_so_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS) -fPIC
vnc_so_LDFLAGS = $(AM_LDFLAGS) -shared
vnc_so_LDADD = $(VNC_LIBS)
