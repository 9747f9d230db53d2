noinst_LIBRARIES += libkiln-virtio.a
libkiln_virtio_a_SOURCES = \
	%D%/device.h \
	%D%/pci.h \
	%D%/queue.h \
	%D%/vhost.h
