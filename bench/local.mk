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
CLEANFILES += bench/io/harness bench-disk.img
