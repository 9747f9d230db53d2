check_PROGRAMS += tests/driver/agent/agent-test
tests_driver_agent_agent_test_SOURCES = tests/driver/agent/agent-test.c \
	tests/lib/fake-agent.c tests/lib/fake-agent.h
tests_driver_agent_agent_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_agent_agent_test_LDADD = libkiln-agent.a libkiln-error.a $(JSON_LIBS) $(LDADD)
TESTS += tests/driver/agent/agent-test

check_PROGRAMS += tests/driver/agent/ops-agent-test
tests_driver_agent_ops_agent_test_SOURCES = tests/driver/agent/ops-agent-test.c \
	tests/driver/fake-call.c tests/driver/fake-call.h \
	tests/driver/fake-guest.c tests/driver/fake-guest.h \
	tests/lib/fake-agent.c tests/lib/fake-agent.h
tests_driver_agent_ops_agent_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_agent_ops_agent_test_LDADD = libkiln-test.a libkiln-ops.a libkiln-agent.a \
	libkiln-rpc.a libkiln-protocol.a libkiln-error.a libkiln-firmware.a libkiln-domain.a \
	libkiln-base.a \
	$(CHECK_LIBS) $(GIO_LIBS) $(TIRPC_LIBS) $(JSON_LIBS) $(KILN_LIBS)
TESTS += tests/driver/agent/ops-agent-test
