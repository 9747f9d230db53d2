noinst_LIBRARIES += libkiln-memory.a
libkiln_memory_a_SOURCES = \
	%D%/backing.c %D%/backing.h \
	%D%/discard.c %D%/discard.h \
	%D%/layout.c %D%/layout.h \
	%D%/memory.c %D%/memory.h
