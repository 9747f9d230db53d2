check_PROGRAMS += tests/driver/agent/agent-test
tests_driver_agent_agent_test_SOURCES = tests/driver/agent/agent-test.c \
	tests/lib/fake-agent.c tests/lib/fake-agent.h
tests_driver_agent_agent_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_agent_agent_test_LDADD = libkiln-agent.a libkiln-error.a $(JSON_LIBS) $(LDADD)
TESTS += tests/driver/agent/agent-test
