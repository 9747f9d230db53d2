noinst_LIBRARIES += libkiln-device.a
libkiln_device_a_SOURCES = \
	%D%/ahci.c %D%/ahci.h %D%/ahci-private.h \
	%D%/ahci-port.c \
	%D%/ahci-prdt.c \
	%D%/ata.c %D%/ata.h %D%/ata-private.h \
	%D%/ata-drive.c %D%/ata-drive.h \
	%D%/ata-command.c \
	%D%/ata-identify.c \
	%D%/ata-packet.c %D%/ata-packet.h \
	%D%/clock.c %D%/clock.h \
	%D%/debugcon.c %D%/debugcon.h \
	%D%/fw-cfg.c %D%/fw-cfg.h \
	%D%/hpet.c %D%/hpet.h \
	%D%/i6300esb.c %D%/i6300esb.h \
	%D%/i8042.c %D%/i8042.h \
	%D%/ich9-lpc.c %D%/ich9-lpc.h \
	%D%/ich9-pm.c %D%/ich9-pm.h \
	%D%/mch.c %D%/mch.h \
	%D%/pflash.c %D%/pflash.h \
	%D%/pflash-store.c %D%/pflash-store.h \
	%D%/port92.c %D%/port92.h \
	%D%/ps2-keyboard.c %D%/ps2-keyboard.h \
	%D%/ps2-mouse.c %D%/ps2-mouse.h \
	%D%/ps2-queue.h \
	%D%/pvpanic.c %D%/pvpanic.h \
	%D%/reset.h \
	%D%/root-port.c %D%/root-port.h \
	%D%/rtc.c %D%/rtc.h \
	%D%/rtc-time.c %D%/rtc-time.h \
	%D%/virtio-net.c %D%/virtio-net.h \
	%D%/virtio-net-control.c \
	%D%/virtio-net-filter.c %D%/virtio-net-filter.h \
	%D%/virtio-net-private.h \
	%D%/virtio-net-receive.c \
	%D%/virtio-net-send.c \
	%D%/serial.c %D%/serial.h \
	%D%/virtio-fs.c %D%/virtio-fs.h \
	%D%/virtio-vsock.c %D%/virtio-vsock.h \
	%D%/virtio-vsock-broker.c %D%/virtio-vsock-broker.h \
	%D%/virtio-vsock-connection.c %D%/virtio-vsock-connection.h \
	%D%/virtio-vsock-event.c %D%/virtio-vsock-event.h \
	%D%/virtio-vsock-host.c %D%/virtio-vsock-host.h \
	%D%/virtio-vsock-kernel.c %D%/virtio-vsock-kernel.h \
	%D%/virtio-vsock-packet.c %D%/virtio-vsock-packet.h \
	%D%/virtiofsd.c %D%/virtiofsd.h

# Small paravirtual devices.
libkiln_device_a_SOURCES += \
	%D%/virtio-balloon.c %D%/virtio-balloon.h \
	%D%/virtio-console.c %D%/virtio-console.h %D%/virtio-console-private.h \
	%D%/virtio-console-control.c %D%/virtio-console-port.c \
	%D%/virtio-input.c %D%/virtio-input.h \
	%D%/virtio-input-host.c %D%/virtio-input-host.h \
	%D%/virtio-mem.c %D%/virtio-mem.h \
	%D%/virtio-pmem.c %D%/virtio-pmem.h \
	%D%/virtio-rng.c %D%/virtio-rng.h \
	%D%/virtio-turn.h

# The trusted platform module.
libkiln_device_a_SOURCES += \
	%D%/tpm-crb.c %D%/tpm-crb.h \
	%D%/tpm-emulator.c %D%/tpm-emulator.h \
	%D%/tpm-swtpm.c %D%/tpm-swtpm.h \
	%D%/tpm-tis.c %D%/tpm-tis.h \
	%D%/tpm-wire.c %D%/tpm-wire.h

# Disks.
libkiln_device_a_SOURCES += \
	%D%/disk-statistics.h \
	%D%/io-error.h \
	%D%/scsi.c %D%/scsi.h %D%/scsi-private.h \
	%D%/scsi-block.c %D%/scsi-command.c %D%/scsi-inquiry.c \
	%D%/scsi-mmc.c %D%/scsi-mode.c %D%/scsi-task.c \
	%D%/vhost-user-blk.c %D%/vhost-user-blk.h \
	%D%/virtio-blk.c %D%/virtio-blk.h \
	%D%/virtio-blk-request.c %D%/virtio-blk-request.h \
	%D%/virtio-scsi.c %D%/virtio-scsi.h %D%/virtio-scsi-private.h \
	%D%/virtio-scsi-control.c %D%/virtio-scsi-request.c

# Functions of the host.
libkiln_device_a_SOURCES += \
	%D%/vfio-capabilities.c %D%/vfio-capabilities.h \
	%D%/vfio-pci.c %D%/vfio-pci.h

# Display adapters.
libkiln_device_a_SOURCES += \
	%D%/bochs.c %D%/bochs.h \
	%D%/bochs-display.c %D%/bochs-display.h \
	%D%/dispi.c %D%/dispi.h \
	%D%/edid.c %D%/edid.h \
	%D%/vga.c %D%/vga.h \
	%D%/vga-draw.c %D%/vga-draw.h %D%/vga-mode.c \
	%D%/vga-registers.c %D%/vga-registers.h \
	%D%/vga-window.c %D%/vga-window.h \
	%D%/video-memory.c %D%/video-memory.h \
	%D%/virtio-gpu.c %D%/virtio-gpu.h %D%/virtio-gpu-private.h \
	%D%/virtio-gpu-heads.c %D%/virtio-gpu-resource.c %D%/virtio-gpu-state.c
