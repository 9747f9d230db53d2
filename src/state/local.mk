noinst_LIBRARIES += libkiln-state.a
libkiln_state_a_SOURCES = \
	%D%/cursor.c %D%/cursor.h \
	%D%/fields.c %D%/fields.h \
	%D%/format.c %D%/format.h \
	%D%/reader.c %D%/reader.h \
	%D%/state.c %D%/state.h \
	%D%/writer.c %D%/writer.h
