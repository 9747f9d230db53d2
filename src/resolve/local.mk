module_PROGRAMS += libvirt.so
libvirt_so_SOURCES = %D%/resolve.c %D%/resolve.h
libvirt_so_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) -fPIC
libvirt_so_LDFLAGS = $(AM_LDFLAGS) -shared
libvirt_so_LDADD = $(LIBVIRT_LIBS)
