noinst_LIBRARIES += libkiln-boot.a
libkiln_boot_a_SOURCES = \
	%D%/boot.c %D%/boot.h \
	%D%/bzimage.c %D%/bzimage.h \
	%D%/elf.c %D%/elf.h \
	%D%/file.c %D%/file.h \
	%D%/load.c %D%/load.h \
	%D%/memory-map.c \
	%D%/multiboot.c %D%/multiboot.h \
	%D%/nvram.c %D%/nvram.h \
	%D%/places.c %D%/places.h \
	%D%/pvh.c %D%/pvh.h
