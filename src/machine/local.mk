noinst_LIBRARIES += libkiln-machine.a
libkiln_machine_a_SOURCES = \
	%D%/board.c \
	%D%/boot.c \
	%D%/build.c \
	%D%/cpu.c \
	%D%/lifecycle.c \
	%D%/machine.h \
	%D%/msi.c %D%/msi.h \
	%D%/pci.c %D%/pci.h \
	%D%/pin.c %D%/pin.h \
	%D%/ports.c \
	%D%/private.h \
	%D%/ram.c \
	%D%/save.c \
	%D%/statistics.c \
	%D%/tables.c %D%/tables.h \
	%D%/vcpu-group.c %D%/vcpu-group.h
