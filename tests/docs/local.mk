# Pages that are made from the driver's tables.
check_PROGRAMS += tests/docs/calls-test
TESTS += tests/docs/calls-test
EXTRA_DIST += docs/libvirt-calls.md
tests_docs_calls_test_SOURCES = tests/docs/calls-test.c
tests_docs_calls_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_docs_calls_test_LDADD = libkiln-test.a $(KILN_DRIVER_LIBS) $(CHECK_LIBS) $(KILN_LIBS)
