noinst_LIBRARIES += libkiln-loop.a
libkiln_loop_a_SOURCES = \
	%D%/call.c %D%/call.h \
	%D%/coroutine.c %D%/coroutine.h \
	%D%/event.c %D%/event.h \
	%D%/fd-source.c %D%/fd-source.h \
	%D%/polling.c %D%/polling.h \
	%D%/signal.c %D%/signal.h \
	%D%/source.c %D%/source.h \
	%D%/thread.c %D%/thread.h \
	%D%/timer.c %D%/timer.h \
	%D%/uring.c %D%/uring.h \
	%D%/uring-arms.c %D%/uring-arms.h \
	%D%/uring-pool.c %D%/uring-pool.h
