# Character devices: what the guest's serial ports and consoles are on the host.
noinst_LIBRARIES += libkiln-chardev.a
libkiln_chardev_a_SOURCES = \
	%D%/backend.h \
	%D%/chardev.c %D%/chardev.h \
	%D%/file.c \
	%D%/pty.c \
	%D%/ring.c %D%/ring.h \
	%D%/sink.c %D%/sink.h \
	%D%/socket.c \
	%D%/stdio.c \
	%D%/stream.c %D%/stream.h \
	%D%/tcp.c %D%/tcp.h \
	%D%/telnet.c %D%/telnet.h \
	%D%/terminal.c %D%/terminal.h
