noinst_LIBRARIES += libkiln-memory.a
libkiln_memory_a_SOURCES = \
	%D%/layout.c %D%/layout.h \
	%D%/memory.h
