# Tests of src/block.

# The module is loaded as the program loads it, so these export their symbols.
nbd_tests = tests/block/nbd-test tests/block/nbd-servers-test
check_PROGRAMS += $(nbd_tests)
TESTS += $(nbd_tests)
nbd_test_files = tests/block/run.c tests/block/run.h
nbd_test_libs = libkiln-test.a $(WHOLE_BEGIN) libkiln-block.a libkiln-loop.a libkiln-base.a \
	$(WHOLE_END) $(CHECK_LIBS) $(KILN_LIBS)
tests_block_nbd_test_SOURCES = tests/block/nbd-test.c \
	tests/block/nbd-server.c tests/block/nbd-server.h $(nbd_test_files)
tests_block_nbd_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_block_nbd_test_LDADD = $(nbd_test_libs)
tests_block_nbd_servers_test_SOURCES = tests/block/nbd-servers-test.c $(nbd_test_files)
tests_block_nbd_servers_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_block_nbd_servers_test_LDADD = $(nbd_test_libs)

fd_child = tests/block/fd-child.c tests/block/fd-child.h

check_PROGRAMS += tests/block/block-tool
tests_block_block_tool_SOURCES = tests/block/block-tool.c $(fd_child)

check_PROGRAMS += tests/block/qcow2-test
TESTS += tests/block/qcow2-test
tests_block_qcow2_test_SOURCES = tests/block/qcow2-test.c $(fd_child)

# Against QEMU's tools: a few images in `make check`, hundreds in `make check-qcow2`.
QCOW2_TEST_FILES = tests/block/block-tool qcow2-zlib.so qcow2-zstd.so
TESTS += tests/block/qcow2-qemu-test.py
EXTRA_DIST += tests/block/qcow2-qemu-test.py
check-qcow2: $(QCOW2_TEST_FILES)
	@$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(srcdir)/tests/block/qcow2-qemu-test.py --full
.PHONY: check-qcow2

block_tests = tests/block/file-test tests/block/lock-test tests/block/layers-test \
	tests/block/qcow2-task-test
check_PROGRAMS += $(block_tests)
TESTS += $(block_tests)
tests_block_file_test_SOURCES = tests/block/file-test.c
tests_block_qcow2_task_test_SOURCES = tests/block/qcow2-task-test.c
tests_block_lock_test_SOURCES = tests/block/lock-test.c
tests_block_layers_test_SOURCES = tests/block/layers-test.c $(fd_child)

# A disk that is killed 200 times under load: half a minute.
check_PROGRAMS += tests/block/kill-load
tests_block_kill_load_SOURCES = tests/block/kill-load.c
EXTRA_DIST += tests/block/kill-test.py
check-kill: tests/block/kill-load tests/block/block-tool
	@$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(srcdir)/tests/block/kill-test.py
.PHONY: check-kill
