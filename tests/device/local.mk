# Unit tests of the room device; see tests/local.mk for KILN_TEST_LIBS.
# virtio-net
check_PROGRAMS += tests/device/virtio-net-test
TESTS += tests/device/virtio-net-test
tests_device_virtio_net_test_SOURCES = tests/device/virtio-net-test.c
check_PROGRAMS += tests/device/virtio-net-vhost-test
TESTS += tests/device/virtio-net-vhost-test
tests_device_virtio_net_vhost_test_SOURCES = tests/device/virtio-net-vhost-test.c \
	tests/lib/vhost-user-peer.c tests/lib/vhost-user-peer.h

device_tests = tests/device/chipset-test \
	tests/device/clock-test \
	tests/device/fw-cfg-test \
	tests/device/i6300esb-test \
	tests/device/ich9-pm-test \
	tests/device/legacy-ports-test \
	tests/device/pflash-test \
	tests/device/root-port-test \
	tests/device/rtc-test \
	tests/device/serial-test \
	tests/device/virtio-fs-test \
	tests/device/virtio-vsock-kernel-test \
	tests/device/virtio-vsock-test \
	tests/device/virtiofsd-test
check_PROGRAMS += $(device_tests)
TESTS += $(device_tests)
tests_device_chipset_test_SOURCES = tests/device/chipset-test.c
tests_device_clock_test_SOURCES = tests/device/clock-test.c
tests_device_fw_cfg_test_SOURCES = tests/device/fw-cfg-test.c
tests_device_i6300esb_test_SOURCES = tests/device/i6300esb-test.c
tests_device_ich9_pm_test_SOURCES = tests/device/ich9-pm-test.c
tests_device_legacy_ports_test_SOURCES = tests/device/legacy-ports-test.c
tests_device_pflash_test_SOURCES = tests/device/pflash-test.c
tests_device_root_port_test_SOURCES = tests/device/root-port-test.c
tests_device_rtc_test_SOURCES = tests/device/rtc-test.c
tests_device_serial_test_SOURCES = tests/device/serial-test.c
tests_device_virtiofsd_test_SOURCES = tests/device/virtiofsd-test.c

small_device_tests = tests/device/virtio-balloon-test \
	tests/device/virtio-console-test \
	tests/device/virtio-input-test \
	tests/device/virtio-mem-test \
	tests/device/virtio-rng-test
check_PROGRAMS += $(small_device_tests)
TESTS += $(small_device_tests)
tests_device_virtio_balloon_test_SOURCES = tests/device/virtio-balloon-test.c
tests_device_virtio_console_test_SOURCES = tests/device/virtio-console-test.c
tests_device_virtio_input_test_SOURCES = tests/device/virtio-input-test.c
tests_device_virtio_mem_test_SOURCES = tests/device/virtio-mem-test.c
tests_device_virtio_rng_test_SOURCES = tests/device/virtio-rng-test.c

check_PROGRAMS += tests/device/tpm-test
TESTS += tests/device/tpm-test
tests_device_tpm_test_SOURCES = tests/device/tpm-test.c tests/lib/fake-swtpm.c \
	tests/lib/fake-swtpm.h
tests_device_virtio_fs_test_SOURCES = tests/device/virtio-fs-test.c \
	tests/lib/vhost-user-peer.c tests/lib/vhost-user-peer.h
tests_device_virtio_vsock_test_SOURCES = tests/device/virtio-vsock-test.c
tests_device_virtio_vsock_kernel_test_SOURCES = tests/device/virtio-vsock-kernel-test.c

# Disks.
disk_tests = tests/device/virtio-blk-test \
	tests/device/scsi-test tests/device/virtio-scsi-test \
	tests/device/vhost-user-blk-test \
	tests/device/vhost-user-blk-daemon-test
check_PROGRAMS += $(disk_tests)
TESTS += $(disk_tests)
tests_device_virtio_blk_test_SOURCES = tests/device/virtio-blk-test.c \
	tests/lib/memory-block.c tests/lib/memory-block.h tests/lib/tsan-gio.c
tests_device_virtio_scsi_test_SOURCES = tests/device/virtio-scsi-test.c \
	tests/lib/memory-block.c tests/lib/memory-block.h tests/lib/tsan-gio.c
tests_device_scsi_test_SOURCES = tests/device/scsi-test.c \
	tests/lib/memory-block.c tests/lib/memory-block.h
tests_device_vhost_user_blk_test_SOURCES = tests/device/vhost-user-blk-test.c \
	tests/lib/vhost-user-peer.c tests/lib/vhost-user-peer.h
tests_device_vhost_user_blk_daemon_test_SOURCES = tests/device/vhost-user-blk-daemon-test.c

# Functions of the host.
device_vfio_tests = tests/device/vfio-pci-test
check_PROGRAMS += $(device_vfio_tests)
TESTS += $(device_vfio_tests)
fake_vfio = tests/lib/fake-vfio.c tests/lib/fake-vfio.h
tests_device_vfio_pci_test_SOURCES = tests/device/vfio-pci-test.c $(fake_vfio)

# Display adapters.
display_device_tests = tests/device/vga-test tests/device/virtio-gpu-test
check_PROGRAMS += $(display_device_tests)
TESTS += $(display_device_tests)
tests_device_vga_test_SOURCES = tests/device/vga-test.c
check_PROGRAMS += tests/device/ahci-test
TESTS += tests/device/ahci-test
ahci_driver = tests/lib/ahci-driver.c tests/lib/ahci-driver.h \
	tests/lib/memory-block.c tests/lib/memory-block.h
tests_device_ahci_test_SOURCES = tests/device/ahci-test.c $(ahci_driver)
tests_device_virtio_gpu_test_SOURCES = tests/device/virtio-gpu-test.c

# Keyboard and mouse.
check_PROGRAMS += tests/device/ps2-test
TESTS += tests/device/ps2-test
tests_device_ps2_test_SOURCES = tests/device/ps2-test.c
check_PROGRAMS += tests/device/hpet-test
TESTS += tests/device/hpet-test
tests_device_hpet_test_SOURCES = tests/device/hpet-test.c
