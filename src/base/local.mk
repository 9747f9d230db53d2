noinst_LIBRARIES += libkiln-base.a
libkiln_base_a_SOURCES = \
	%D%/be.h \
	%D%/bitmap.c %D%/bitmap.h \
	%D%/error.c %D%/error.h \
	%D%/fd.c %D%/fd.h \
	%D%/intmath.h \
	%D%/le.h \
	%D%/lock.h \
	%D%/log.c %D%/log.h \
	%D%/module.c %D%/module.h \
	%D%/process.c %D%/process.h \
	%D%/statistics.c %D%/statistics.h \
	%D%/trim.c %D%/trim.h \
	%D%/unix-socket.c %D%/unix-socket.h
