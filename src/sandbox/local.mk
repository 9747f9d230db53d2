noinst_LIBRARIES += libkiln-sandbox.a
libkiln_sandbox_a_SOURCES = \
	%D%/become.c \
	%D%/landlock.c %D%/landlock.h \
	%D%/privileges.c %D%/privileges.h \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/seccomp.c %D%/seccomp.h
nodist_libkiln_sandbox_a_SOURCES = %D%/filters.h

# Filters are made of the lists at build time, so that kiln itself needs no libseccomp.
noinst_PROGRAMS += %D%/gen-filters
src_sandbox_gen_filters_SOURCES = %D%/gen-filters.c
src_sandbox_gen_filters_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
src_sandbox_gen_filters_LDADD = $(SECCOMP_LIBS) $(GLIB_LIBS)

sandbox_lists = $(srcdir)/src/sandbox/main.syscalls $(srcdir)/src/sandbox/vcpu.syscalls
EXTRA_DIST += %D%/main.syscalls %D%/vcpu.syscalls
BUILT_SOURCES += src/sandbox/filters.h
CLEANFILES += src/sandbox/filters.h

src/sandbox/filters.h: src/sandbox/gen-filters$(EXEEXT) $(sandbox_lists)
	$(AM_V_GEN)src/sandbox/gen-filters$(EXEEXT) $@ \
		main=$(srcdir)/src/sandbox/main.syscalls vcpu=$(srcdir)/src/sandbox/vcpu.syscalls
src/sandbox/seccomp.$(OBJEXT): src/sandbox/filters.h
