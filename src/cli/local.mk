# The program and its commands; those that talk to running guests are the module client.so.
bin_PROGRAMS += kiln
kiln_SOURCES = \
	%D%/cli.c %D%/cli.h \
	%D%/commands.h \
	%D%/document.c %D%/document.h \
	%D%/main.c \
	%D%/resolve.c %D%/resolve.h \
	%D%/run.c \
	%D%/validate.c
kiln_LDADD = $(WHOLE_BEGIN) libkiln-control.a $(KILN_ROOM_LIBS) $(WHOLE_END) $(KILN_LIBS)
kiln_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic $(KILN_PACK_RELOCS)

module_PROGRAMS += client.so
client_so_SOURCES = \
	%D%/client.c %D%/client.h \
	%D%/console.c \
	%D%/ctl.c \
	%D%/list.c
client_so_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) -fPIC
client_so_LDFLAGS = $(AM_LDFLAGS) -shared
client_so_LDADD = libkiln-vm1-glue.a $(GIO_LIBS)

# For those who make one file and not all.
%D%/client_so-client.$(OBJEXT) %D%/client_so-console.$(OBJEXT) %D%/client_so-ctl.$(OBJEXT) \
%D%/client_so-list.$(OBJEXT): $(vm1_glue)
