# Unit tests of the room state.
state_tests = tests/state/state-test
check_PROGRAMS += $(state_tests)
TESTS += $(state_tests)
tests_state_state_test_SOURCES = tests/state/state-test.c \
	tests/lib/state-sample.c tests/lib/state-sample.h
