bin_PROGRAMS += kiln
kiln_SOURCES = %D%/main.c
kiln_LDADD = $(WHOLE_BEGIN) $(KILN_ROOM_LIBS) $(WHOLE_END) $(KILN_LIBS)
kiln_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
