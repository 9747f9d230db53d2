noinst_LIBRARIES += libkiln-bus.a
libkiln_bus_a_SOURCES = \
	%D%/device.c %D%/device.h \
	%D%/doorbell.h \
	%D%/slots.h \
	%D%/irq.c %D%/irq.h \
	%D%/msi.h \
	%D%/msi-vector.c %D%/msi-vector.h \
	%D%/msix.c %D%/msix.h \
	%D%/pci.c %D%/pci.h \
	%D%/pci-bus.c %D%/pci-bus.h \
	%D%/pci-decode.c %D%/pci-decode.h \
	%D%/pci-express.c %D%/pci-express.h \
	%D%/pci-setup.c %D%/pci-setup.h \
	%D%/pci-rom.c %D%/pci-rom.h \
	%D%/reclaim.c %D%/reclaim.h \
	%D%/space.c %D%/space.h
