noinst_LIBRARIES += libkiln-agent.a
libkiln_agent_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_agent_a_SOURCES = \
	%D%/agent.h
