noinst_LIBRARIES += libkiln-block.a
libkiln_block_a_SOURCES = \
	%D%/block.h \
	%D%/file.h \
	%D%/qcow2.h
