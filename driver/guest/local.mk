# The list of domains; one domain; their files, their processes, and the conversation with these.
noinst_LIBRARIES += libkiln-guest.a
libkiln_guest_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_guest_a_SOURCES = \
	%D%/adopt.c %D%/adopt.h \
	%D%/autostart.c \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/define.c \
	%D%/destroy.c \
	%D%/found.c %D%/found.h \
	%D%/guest.c %D%/guest.h \
	%D%/guest-private.h \
	%D%/head.c %D%/head.h \
	%D%/hear.c %D%/hear.h \
	%D%/jobs.c \
	%D%/list.c %D%/list.h \
	%D%/list-check.c %D%/list-check.h \
	%D%/live-check.c %D%/live-check.h \
	%D%/news.c \
	%D%/probe.c %D%/probe.h \
	%D%/proxy.c %D%/proxy.h \
	%D%/run.c %D%/run.h \
	%D%/spawn.c %D%/spawn.h \
	%D%/start.c \
	%D%/store.c %D%/store.h \
	%D%/store-load.c %D%/store-private.h \
	%D%/talk.c %D%/talk.h \
	%D%/worker.c %D%/worker.h
