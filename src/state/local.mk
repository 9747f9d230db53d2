noinst_LIBRARIES += libkiln-state.a
libkiln_state_a_SOURCES = \
	%D%/format.h \
	%D%/reader.h \
	%D%/state.h \
	%D%/writer.h
