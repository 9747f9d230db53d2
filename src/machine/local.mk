noinst_LIBRARIES += libkiln-machine.a
libkiln_machine_a_SOURCES = \
	%D%/ata.c \
	%D%/board.c \
	%D%/boot.c \
	%D%/build.c \
	%D%/chars.c %D%/chars.h \
	%D%/cpu.c \
	%D%/devices.c %D%/devices.h \
	%D%/disks.c %D%/disks.h %D%/media.c %D%/scsi.c \
	%D%/display.c \
	%D%/graphics.c \
	%D%/firmware.c %D%/flash.c \
	%D%/fw-cfg.c %D%/fw-cfg.h %D%/fw-cfg-boot.c %D%/fw-cfg-kernel.c \
	%D%/functions.c %D%/functions.h \
	%D%/hostdevs.c \
	%D%/inputs.c \
	%D%/io.c %D%/io.h \
	%D%/keyboard.c \
	%D%/lifecycle.c \
	%D%/live.c \
	%D%/machine.h \
	%D%/memory-devices.c \
	%D%/msi.c %D%/msi.h \
	%D%/nets.c \
	%D%/option-roms.c \
	%D%/pci.c %D%/pci.h \
	%D%/pin.c %D%/pin.h \
	%D%/ports.c \
	%D%/private.h \
	%D%/ram.c \
	%D%/root-ports.c \
	%D%/save.c \
	%D%/slots.c %D%/slots.h \
	%D%/small.c \
	%D%/statistics.c %D%/statistics.h %D%/statistics-devices.c \
	%D%/tables.c %D%/tables.h \
	%D%/tpm.c \
	%D%/video.c \
	%D%/virtio-serial.c \
	%D%/vcpu-group.c %D%/vcpu-group.h \
	%D%/vsock-fs.c
