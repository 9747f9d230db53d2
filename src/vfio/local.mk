noinst_LIBRARIES += libkiln-vfio.a
libkiln_vfio_a_SOURCES = \
	%D%/binding.c %D%/binding.h \
	%D%/container.c %D%/container.h \
	%D%/device.c %D%/device.h \
	%D%/host.c %D%/host.h
