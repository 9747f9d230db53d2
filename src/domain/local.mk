noinst_LIBRARIES += libkiln-domain.a
libkiln_domain_a_SOURCES = \
	%D%/address.c %D%/address.h \
	%D%/assign.c %D%/assign.h \
	%D%/assign-alias.c \
	%D%/assign-devices.c %D%/assign-drive.c \
	%D%/assign-pci.c \
	%D%/assign-virtio-serial.c \
	%D%/char-source.c %D%/char-source.h \
	%D%/chardev.c %D%/chardev.h \
	%D%/clock.c %D%/clock.h \
	%D%/controller.c %D%/controller.h \
	%D%/cpu.c %D%/cpu.h \
	%D%/devices.c %D%/devices.h \
	%D%/disk.c %D%/disk.h \
	%D%/disk-source.c %D%/disk-source.h \
	%D%/domain.c %D%/domain.h \
	%D%/fault.c %D%/fault.h \
	%D%/features.c %D%/features.h \
	%D%/fields.c %D%/fields.h \
	%D%/filesystem.c %D%/filesystem.h \
	%D%/graphics.c %D%/graphics.h \
	%D%/hostdev.c %D%/hostdev.h \
	%D%/input.c %D%/input.h \
	%D%/iommu.c %D%/iommu.h \
	%D%/kept.c %D%/kept.h \
	%D%/memballoon.c %D%/memballoon.h \
	%D%/edit.c %D%/edit.h \
	%D%/edit-find.c %D%/edit-find.h \
	%D%/family.c %D%/family.h \
	%D%/memory.c %D%/memory.h \
	%D%/memory-device.c %D%/memory-device.h \
	%D%/metadata.c %D%/metadata.h \
	%D%/net.c %D%/net.h \
	%D%/net-options.c %D%/net-options.h \
	%D%/numa.c %D%/numa.h \
	%D%/os.c %D%/os.h \
	%D%/panic.c %D%/panic.h \
	%D%/rng.c %D%/rng.h \
	%D%/rules.c %D%/rules.h \
	%D%/rules-char.c \
	%D%/rules-devices.c \
	%D%/rules-disk.c \
	%D%/rules-guest.c \
	%D%/rules-net.c \
	%D%/rules-tables.h \
	%D%/seclabel.c %D%/seclabel.h \
	%D%/shmem.c %D%/shmem.h \
	%D%/sysinfo.c %D%/sysinfo.h \
	%D%/text-rules.c %D%/text-rules.h \
	%D%/tpm.c %D%/tpm.h \
	%D%/tune.c %D%/tune.h \
	%D%/unix-socket.c %D%/unix-socket.h \
	%D%/validate.c \
	%D%/video.c %D%/video.h \
	%D%/virtio-driver.c %D%/virtio-driver.h \
	%D%/vsock.c %D%/vsock.h \
	%D%/watchdog.c %D%/watchdog.h \
	%D%/xml.c %D%/xml.h \
	%D%/xml-writer.c %D%/xml-writer.h
