# Unit tests of the room control.
control_tests = tests/control/paths-test tests/control/listener-test
check_PROGRAMS += $(control_tests)
TESTS += $(control_tests)
tests_control_paths_test_SOURCES = tests/control/paths-test.c
tests_control_paths_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
tests_control_listener_test_SOURCES = tests/control/listener-test.c
tests_control_listener_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)

# A fake machine stands in for src/machine; the module is loaded as the program loads it, so the test
# exports its symbols.
check_PROGRAMS += tests/control/control-test
TESTS += tests/control/control-test
tests_control_control_test_SOURCES = tests/control/control-test.c \
	tests/control/fake-machine.c tests/control/fake-machine.h tests/lib/tsan-gio.c
tests_control_control_test_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
tests_control_control_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_control_control_test_LDADD = libkiln-test.a libkiln-vm1-glue.a $(WHOLE_BEGIN) \
	libkiln-control.a libkiln-chardev.a libkiln-loop.a libkiln-base.a $(WHOLE_END) \
	$(CHECK_LIBS) $(GIO_LIBS) $(KILN_LIBS)
tests/control/tests_control_control_test-control-test.$(OBJEXT): $(vm1_glue)
