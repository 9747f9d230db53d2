noinst_LIBRARIES += libkiln-virtio.a
libkiln_virtio_a_SOURCES = \
	%D%/descriptor.h \
	%D%/device.c %D%/device.h \
	%D%/device-io.c %D%/device-private.h \
	%D%/features.c \
	%D%/keep.c \
	%D%/packed.c \
	%D%/pci.c %D%/pci.h \
	%D%/pci-private.h \
	%D%/pci-regs.c \
	%D%/queue.c %D%/queue.h \
	%D%/queue-private.h \
	%D%/split.c \
	%D%/transport.h \
	%D%/vhost.c %D%/vhost.h
