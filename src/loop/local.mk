noinst_LIBRARIES += libkiln-loop.a
libkiln_loop_a_SOURCES = \
	%D%/call.h \
	%D%/event.h \
	%D%/fd-source.h \
	%D%/signal.h \
	%D%/source.h \
	%D%/thread.h \
	%D%/timer.h
