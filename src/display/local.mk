# What the guest shows, and where keys and pointer go.
noinst_LIBRARIES += libkiln-display.a
libkiln_display_a_SOURCES = \
	%D%/input.c %D%/input.h \
	%D%/surface.c %D%/surface.h
