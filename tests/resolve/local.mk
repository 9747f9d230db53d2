# Unit tests of the room resolve: its module, loaded as the program loads it, against libvirt's own
# test driver, which runs in the process.
check_PROGRAMS += tests/resolve/resolve-test
TESTS += tests/resolve/resolve-test
tests_resolve_resolve_test_SOURCES = tests/resolve/resolve-test.c
tests_resolve_resolve_test_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(LIBVIRT_CFLAGS)
tests_resolve_resolve_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_resolve_resolve_test_LDADD = libkiln-test.a $(WHOLE_BEGIN) libkiln-domain.a libkiln-base.a \
	$(WHOLE_END) $(CHECK_LIBS) $(KILN_LIBS) $(LIBVIRT_LIBS)
EXTRA_tests_resolve_resolve_test_DEPENDENCIES = libvirt.so
