# Fuzz targets: one a parser of what strangers send.  NAME-fuzz.c has LLVMFuzzerTestOneInput(); its
# corpus is tests/fuzz/corpus/NAME/.  In a usual build each is linked with replay-main.c, which gives
# it every file of the corpus in `make check`; with --enable-fuzz (CC=clang) it is a libFuzzer
# program, which `build-aux/matrix fuzz` runs with all others.  How one is added:
#   fuzz_targets += tests/fuzz/NAME-fuzz
#   tests_fuzz_NAME_fuzz_SOURCES = tests/fuzz/NAME-fuzz.c $(FUZZ_MAIN)
#   tests_fuzz_NAME_fuzz_LDFLAGS = $(FUZZ_LINK)
#   EXTRA_DIST += tests/fuzz/corpus/NAME     (the whole directory)
# (with - in NAME written as _ in the variables).
fuzz_targets =
if FUZZ
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay-main.c
FUZZ_LINK = $(AM_LDFLAGS)
TESTS += $(fuzz_targets)
endif
check_PROGRAMS += $(fuzz_targets)

fuzz_targets += tests/fuzz/virtio-net-fuzz
tests_fuzz_virtio_net_fuzz_SOURCES = tests/fuzz/virtio-net-fuzz.c $(FUZZ_MAIN)
tests_fuzz_virtio_net_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/virtio-net

fuzz_targets += tests/fuzz/state-reader-fuzz
tests_fuzz_state_reader_fuzz_SOURCES = tests/fuzz/state-reader-fuzz.c \
	tests/lib/state-sample.c tests/lib/state-sample.h $(FUZZ_MAIN)
tests_fuzz_state_reader_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/state-reader

fuzz_boot_files = tests/lib/boot-fuzz.c tests/lib/boot-fuzz.h \
	tests/lib/boot-image.c tests/lib/boot-image.h $(FUZZ_MAIN)
fuzz_targets += tests/fuzz/boot-bzimage-fuzz tests/fuzz/boot-elf-fuzz tests/fuzz/boot-multiboot-fuzz
tests_fuzz_boot_bzimage_fuzz_SOURCES = tests/fuzz/boot-bzimage-fuzz.c $(fuzz_boot_files)
tests_fuzz_boot_bzimage_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_boot_elf_fuzz_SOURCES = tests/fuzz/boot-elf-fuzz.c $(fuzz_boot_files)
tests_fuzz_boot_elf_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_boot_multiboot_fuzz_SOURCES = tests/fuzz/boot-multiboot-fuzz.c $(fuzz_boot_files)
tests_fuzz_boot_multiboot_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/boot-bzimage tests/fuzz/corpus/boot-elf \
	tests/fuzz/corpus/boot-multiboot

fuzz_targets += tests/fuzz/statistics-fuzz
tests_fuzz_statistics_fuzz_SOURCES = tests/fuzz/statistics-fuzz.c $(FUZZ_MAIN)
tests_fuzz_statistics_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/statistics

fuzz_targets += tests/fuzz/device-registers-fuzz
tests_fuzz_device_registers_fuzz_SOURCES = tests/fuzz/device-registers-fuzz.c $(FUZZ_MAIN)
tests_fuzz_device_registers_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/device-registers
fuzz_targets += tests/fuzz/fw-cfg-fuzz
tests_fuzz_fw_cfg_fuzz_SOURCES = tests/fuzz/fw-cfg-fuzz.c $(FUZZ_MAIN)
tests_fuzz_fw_cfg_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/fw-cfg
fuzz_targets += tests/fuzz/pflash-fuzz
tests_fuzz_pflash_fuzz_SOURCES = tests/fuzz/pflash-fuzz.c $(FUZZ_MAIN)
tests_fuzz_pflash_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/pflash
fuzz_targets += tests/fuzz/pci-functions-fuzz
tests_fuzz_pci_functions_fuzz_SOURCES = tests/fuzz/pci-functions-fuzz.c $(FUZZ_MAIN)
tests_fuzz_pci_functions_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/pci-functions
fuzz_targets += tests/fuzz/domain-xml-fuzz
tests_fuzz_domain_xml_fuzz_SOURCES = tests/fuzz/domain-xml-fuzz.c $(FUZZ_MAIN)
tests_fuzz_domain_xml_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/domain-xml
fuzz_targets += tests/fuzz/chardev-telnet-fuzz
tests_fuzz_chardev_telnet_fuzz_SOURCES = tests/fuzz/chardev-telnet-fuzz.c $(FUZZ_MAIN)
tests_fuzz_chardev_telnet_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/chardev-telnet
fuzz_targets += tests/fuzz/vhost-user-messages-fuzz
tests_fuzz_vhost_user_messages_fuzz_SOURCES = tests/fuzz/vhost-user-messages-fuzz.c $(FUZZ_MAIN)
tests_fuzz_vhost_user_messages_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/vhost-user-messages
fuzz_targets += tests/fuzz/nbd-limits-fuzz
tests_fuzz_nbd_limits_fuzz_SOURCES = tests/fuzz/nbd-limits-fuzz.c $(FUZZ_MAIN)
tests_fuzz_nbd_limits_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/nbd-limits
fuzz_targets += tests/fuzz/scsi-fuzz
tests_fuzz_scsi_fuzz_SOURCES = tests/fuzz/scsi-fuzz.c \
	tests/lib/memory-block.c tests/lib/memory-block.h $(FUZZ_MAIN)
tests_fuzz_scsi_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/scsi
fuzz_targets += tests/fuzz/virtio-scsi-fuzz
tests_fuzz_virtio_scsi_fuzz_SOURCES = tests/fuzz/virtio-scsi-fuzz.c \
	tests/lib/memory-block.c tests/lib/memory-block.h $(FUZZ_MAIN)
tests_fuzz_virtio_scsi_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_virtio_scsi_fuzz_LDADD = libkiln-test.a $(KILN_TEST_LIBS)
EXTRA_DIST += tests/fuzz/corpus/virtio-scsi
fuzz_targets += tests/fuzz/virtio-blk-fuzz
tests_fuzz_virtio_blk_fuzz_SOURCES = tests/fuzz/virtio-blk-fuzz.c \
	tests/lib/memory-block.c tests/lib/memory-block.h $(FUZZ_MAIN)
tests_fuzz_virtio_blk_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_virtio_blk_fuzz_LDADD = libkiln-test.a $(KILN_TEST_LIBS)
EXTRA_DIST += tests/fuzz/corpus/virtio-blk

fuzz_targets += tests/fuzz/virtio-devices-fuzz
tests_fuzz_virtio_devices_fuzz_SOURCES = tests/fuzz/virtio-devices-fuzz.c $(FUZZ_MAIN)
tests_fuzz_virtio_devices_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/virtio-devices

fuzz_targets += tests/fuzz/tpm-fuzz
tests_fuzz_tpm_fuzz_SOURCES = tests/fuzz/tpm-fuzz.c tests/lib/fake-swtpm.c tests/lib/fake-swtpm.h \
	$(FUZZ_MAIN)
tests_fuzz_tpm_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/tpm
fuzz_targets += tests/fuzz/vsock-packets-fuzz
tests_fuzz_vsock_packets_fuzz_SOURCES = tests/fuzz/vsock-packets-fuzz.c $(FUZZ_MAIN)
tests_fuzz_vsock_packets_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/vsock-packets
fuzz_targets += tests/fuzz/virtqueue-fuzz tests/fuzz/virtio-pci-fuzz
tests_fuzz_virtqueue_fuzz_SOURCES = tests/fuzz/virtqueue-fuzz.c tests/virtio/rings.h $(FUZZ_MAIN)
tests_fuzz_virtqueue_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_virtio_pci_fuzz_SOURCES = tests/fuzz/virtio-pci-fuzz.c $(virtio_echo) $(FUZZ_MAIN)
tests_fuzz_virtio_pci_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/virtqueue tests/fuzz/corpus/virtio-pci


fuzz_targets += tests/fuzz/qcow2-open-fuzz tests/fuzz/qcow2-io-fuzz
fuzz_mem_child = tests/block/mem-child.c tests/block/mem-child.h
tests_fuzz_qcow2_open_fuzz_SOURCES = tests/fuzz/qcow2-open-fuzz.c $(fuzz_mem_child) $(FUZZ_MAIN)
tests_fuzz_qcow2_open_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_qcow2_io_fuzz_SOURCES = tests/fuzz/qcow2-io-fuzz.c $(fuzz_mem_child) $(FUZZ_MAIN)
tests_fuzz_qcow2_io_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/qcow2-open tests/fuzz/corpus/qcow2-io

fuzz_targets += tests/fuzz/vfio-pci-fuzz
tests_fuzz_vfio_pci_fuzz_SOURCES = tests/fuzz/vfio-pci-fuzz.c $(fake_vfio) $(FUZZ_MAIN)
tests_fuzz_vfio_pci_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/vfio-pci

include tests/fuzz/rpc.mk

fuzz-targets: $(fuzz_targets)
.PHONY: fuzz-targets

fuzz_targets += tests/fuzz/agent-reader-fuzz
tests_fuzz_agent_reader_fuzz_SOURCES = tests/fuzz/agent-reader-fuzz.c $(FUZZ_MAIN)
tests_fuzz_agent_reader_fuzz_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_fuzz_agent_reader_fuzz_LDADD = libkiln-agent.a libkiln-error.a $(JSON_LIBS) $(LDADD)
tests_fuzz_agent_reader_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/agent-reader

fuzz_targets += tests/fuzz/guest-head-fuzz
tests_fuzz_guest_head_fuzz_SOURCES = tests/fuzz/guest-head-fuzz.c $(FUZZ_MAIN)
tests_fuzz_guest_head_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_guest_head_fuzz_LDADD = libkiln-guest.a libkiln-error.a libkiln-domain.a libkiln-base.a \
	$(KILN_LIBS)
EXTRA_DIST += tests/fuzz/corpus/guest-head
fuzz_targets += tests/fuzz/cpu-definition-fuzz
tests_fuzz_cpu_definition_fuzz_SOURCES = tests/fuzz/cpu-definition-fuzz.c $(FUZZ_MAIN)
tests_fuzz_cpu_definition_fuzz_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_fuzz_cpu_definition_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_cpu_definition_fuzz_LDADD = libkiln-caps.a libkiln-error.a libkiln-kvm.a \
	libkiln-memory.a libkiln-state.a libkiln-domain.a libkiln-base.a $(GIO_LIBS) $(KILN_LIBS)
EXTRA_DIST += tests/fuzz/corpus/cpu-definition

fuzz_targets += tests/fuzz/relay-upstream-fuzz
tests_fuzz_relay_upstream_fuzz_SOURCES = tests/fuzz/relay-upstream-fuzz.c $(FUZZ_MAIN)
tests_fuzz_relay_upstream_fuzz_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_fuzz_relay_upstream_fuzz_LDADD = libkiln-relay.a libkiln-rpc.a libkiln-protocol.a \
	libkiln-error.a $(GIO_LIBS) $(TIRPC_LIBS) $(LDADD)
tests_fuzz_relay_upstream_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/relay-upstream

fuzz_targets += tests/fuzz/vga-fuzz
tests_fuzz_vga_fuzz_SOURCES = tests/fuzz/vga-fuzz.c $(FUZZ_MAIN)
tests_fuzz_vga_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/vga

fuzz_targets += tests/fuzz/virtio-gpu-fuzz
tests_fuzz_virtio_gpu_fuzz_SOURCES = tests/fuzz/virtio-gpu-fuzz.c $(FUZZ_MAIN)
tests_fuzz_virtio_gpu_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/virtio-gpu
fuzz_targets += tests/fuzz/ahci-fuzz
tests_fuzz_ahci_fuzz_SOURCES = tests/fuzz/ahci-fuzz.c $(ahci_driver) $(FUZZ_MAIN)
tests_fuzz_ahci_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_ahci_fuzz_LDADD = libkiln-test.a $(KILN_TEST_LIBS)
EXTRA_DIST += tests/fuzz/corpus/ahci


fuzz_targets += tests/fuzz/vnc-fuzz
tests_fuzz_vnc_fuzz_SOURCES = tests/fuzz/vnc-fuzz.c $(FUZZ_MAIN)
tests_fuzz_vnc_fuzz_LDADD = libkiln-vnc.a $(KILN_TEST_LIBS) $(VNC_LIBS)
tests_fuzz_vnc_fuzz_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/vnc
