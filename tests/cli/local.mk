# Tests of the commands, run as programs.
cli_tests = tests/cli/usage-test
check_PROGRAMS += $(cli_tests)
TESTS += $(cli_tests)
cli_program = tests/cli/program.c tests/cli/program.h
tests_cli_usage_test_SOURCES = tests/cli/usage-test.c $(cli_program)
tests_cli_usage_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
