noinst_LIBRARIES += libkiln-bus.a
libkiln_bus_a_SOURCES = \
	%D%/device.h \
	%D%/irq.h \
	%D%/pci-bus.h \
	%D%/pci.h \
	%D%/space.h
