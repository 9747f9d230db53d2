noinst_LIBRARIES += libkiln-agent.a
libkiln_agent_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_agent_a_SOURCES = \
	%D%/agent.c %D%/agent.h \
	%D%/json.c %D%/json.h \
	%D%/reader.c %D%/reader.h
