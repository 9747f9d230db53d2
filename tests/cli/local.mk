# Tests of the commands, run as programs.
cli_tests = tests/cli/usage-test tests/cli/validate-test tests/cli/run-test \
	tests/cli/client-test
check_PROGRAMS += $(cli_tests)
TESTS += $(cli_tests)
cli_program = tests/cli/program.c tests/cli/program.h
tests_cli_usage_test_SOURCES = tests/cli/usage-test.c $(cli_program)
tests_cli_usage_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
tests_cli_validate_test_SOURCES = tests/cli/validate-test.c $(cli_program)
tests_cli_run_test_SOURCES = tests/cli/run-test.c $(cli_program)
tests_cli_run_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
# It is the guest as well, with a fake machine: see tests/control/local.mk.
tests_cli_client_test_SOURCES = tests/cli/client-test.c $(cli_program) \
	tests/control/fake-machine.c tests/control/fake-machine.h tests/lib/tsan-gio.c
tests_cli_client_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_cli_client_test_LDADD = libkiln-test.a $(WHOLE_BEGIN) libkiln-control.a libkiln-chardev.a \
	libkiln-loop.a libkiln-base.a $(WHOLE_END) $(CHECK_LIBS) $(KILN_LIBS)
