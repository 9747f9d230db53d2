# Benchmarks: programs and guests are built here, and run in the testbed by `make bench`.

EXTRA_PROGRAMS += bench/boot/measure
bench_boot_measure_SOURCES = %D%/boot/measure.c
bench_boot_measure_LDADD = $(GLIB_LIBS)

# What a virtqueue costs; needs no guest: make bench/io/queue && bench/io/queue
EXTRA_PROGRAMS += bench/io/queue
bench_io_queue_SOURCES = %D%/io/queue.c
bench_io_queue_LDADD = $(KILN_ROOM_LIBS) $(KILN_LIBS)

bench/boot/first-byte.elf: $(srcdir)/%D%/boot/first-byte.S
	@$(MKDIR_P) bench/boot
	$(AM_V_CCLD)$(CC) $(GUEST_LINK) \
		-o $@ $(srcdir)/%D%/boot/first-byte.S

bench: all bench/boot/measure bench/boot/first-byte.elf
	$(srcdir)/%D%/in-testbed $(builddir) bench-out
.PHONY: bench

EXTRA_DIST += %D%/in-testbed %D%/boot/first-byte.S %D%/boot/run %D%/RESULTS.md
CLEANFILES += bench/boot/first-byte.elf bench/boot/measure bench/io/queue

# virtio-net without a guest: a fake driver, the device and a tap.
EXTRA_PROGRAMS += bench/io/net/net-bench
bench_io_net_net_bench_SOURCES = %D%/io/net/net-bench.c tests/net/namespace.c tests/net/namespace.h
bench_io_net_net_bench_LDADD = libkiln-test.a $(KILN_ROOM_LIBS) $(CHECK_LIBS) $(KILN_LIBS)
CLEANFILES += bench/io/net/net-bench

# A disk without a guest, on this machine, beside fio: make bench-disk BENCH_FILE=/some/disk/file
EXTRA_PROGRAMS += bench/io/harness
bench_io_harness_SOURCES = %D%/io/harness.c
bench_io_harness_LDADD = $(KILN_ROOM_LIBS) $(KILN_LIBS)
BENCH_FILE = bench-disk.img
bench-disk: bench/io/harness
	./bench/io/harness $(BENCH_FILE)
.PHONY: bench-disk
CLEANFILES += bench/io/harness bench-disk.img bench-disk.img.qcow2

# A small guest that drives disk and network at full speed, under kiln and QEMU in turns; needs a
# /dev/kvm, QEMU, and root for the network: make bench-guest BENCH_FILE=/some/disk/file
GUEST64_FLAGS = -m64 -O2 -Wall -Wextra -ffreestanding -fno-stack-protector -fno-pic \
	-fno-asynchronous-unwind-tables -fcf-protection=none -nostdlib -static -no-pie \
	-Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-Ttext-segment=0x100000 -Wl,-e,start -I$(srcdir)
GUEST64_FILES = %D%/io/guest.S %D%/io/guest.c %D%/io/guest-virtio.c %D%/io/guest-virtio.h
bench/io/guest.elf: $(GUEST64_FILES)
	@$(MKDIR_P) bench/io
	$(AM_V_CCLD)$(CC) $(GUEST64_FLAGS) -o $@ $(filter-out %.h,$^)
EXTRA_PROGRAMS += bench/io/blast
bench_io_blast_SOURCES = %D%/io/blast.c
bench_io_blast_LDADD = $(GLIB_LIBS)
bench-guest: all bench/io/guest.elf bench/io/blast
	test -s $(BENCH_FILE) || head -c 1G /dev/urandom >$(BENCH_FILE)
	$(srcdir)/%D%/io/run-guest --image $(BENCH_FILE) --json bench-guest.json $(builddir)
.PHONY: bench-guest
EXTRA_DIST += $(GUEST64_FILES) %D%/io/run-guest
CLEANFILES += bench/io/guest.elf bench/io/blast bench-guest.json

# Debian guests with fio and iperf3, kiln and QEMU in turns, in the testbed: make bench-io; the
# networks alone, on a machine that others use too: make bench-net
bench-io: all
	$(srcdir)/%D%/io/in-testbed $(builddir) bench-out
bench-net: all
	$(srcdir)/%D%/io/in-testbed $(builddir) bench-out --icount --only net,vhost --rounds 1 --seconds 1
.PHONY: bench-io bench-net
EXTRA_DIST += %D%/io/in-testbed %D%/io/run %D%/io/guest-script

# virtkilnd beside libvirtd with QEMU: make bench-driver measures virtkilnd alone, in a session of its
# own on this machine's /dev/kvm; bench/driver/in-testbed both of them in one L1.
EXTRA_PROGRAMS += bench/driver/client
bench_driver_client_SOURCES = %D%/driver/client.c
bench_driver_client_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
bench_driver_client_LDADD = $(LIBVIRT_LIBS) $(GLIB_LIBS)
BENCH_DRIVER_FLAGS =
bench-driver: all bench/driver/client bench/boot/first-byte.elf
	$(PYTHON3) $(srcdir)/%D%/driver/run --session $(builddir) --client bench/driver/client \
		--guest bench/boot/first-byte.elf $(BENCH_DRIVER_FLAGS)
.PHONY: bench-driver
EXTRA_DIST += %D%/driver/run %D%/driver/in-testbed
CLEANFILES += bench/driver/client
