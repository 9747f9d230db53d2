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
