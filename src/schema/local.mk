module_PROGRAMS += schema.so
schema_so_SOURCES = %D%/schema.c %D%/schema.h
schema_so_CFLAGS = $(AM_CFLAGS) $(XML_CFLAGS) -fPIC
schema_so_LDFLAGS = $(AM_LDFLAGS) -shared
schema_so_LDADD = $(XML_LIBS)
