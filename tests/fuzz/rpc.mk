# What clients of virtkilnd send: packets, and each call's arguments.
fuzz_rpc_libs = libkiln-rpc.a libkiln-protocol.a libkiln-error.a libkiln-loop.a libkiln-base.a \
	$(GIO_LIBS) $(TIRPC_LIBS) $(KILN_LIBS)
fuzz_targets += tests/fuzz/rpc-frame-fuzz tests/fuzz/rpc-args-fuzz
tests_fuzz_rpc_frame_fuzz_SOURCES = tests/fuzz/rpc-frame-fuzz.c $(FUZZ_MAIN)
tests_fuzz_rpc_frame_fuzz_CFLAGS = $(AM_DRIVER_CFLAGS)
tests_fuzz_rpc_frame_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_rpc_frame_fuzz_LDADD = $(fuzz_rpc_libs)
tests_fuzz_rpc_args_fuzz_SOURCES = tests/fuzz/rpc-args-fuzz.c $(FUZZ_MAIN)
nodist_tests_fuzz_rpc_args_fuzz_SOURCES = tests/fuzz/rpc-args-table.h
tests_fuzz_rpc_args_fuzz_CFLAGS = $(AM_DRIVER_CFLAGS) -Itests
tests_fuzz_rpc_args_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_rpc_args_fuzz_LDADD = $(fuzz_rpc_libs)
EXTRA_DIST += tests/fuzz/corpus/rpc-frame tests/fuzz/corpus/rpc-args

BUILT_SOURCES += tests/fuzz/rpc-args-table.h
CLEANFILES += tests/fuzz/rpc-args-table.h
tests/fuzz/rpc-args-table.h: driver/rpc/protocol.x
	$(AM_V_GEN)$(MKDIR_P) tests/fuzz && \
		$(SED) -n 's/^struct \([a-z0-9_]*_args\) {.*/CODEC(\1)/p' $(srcdir)/driver/rpc/protocol.x >$@.new && \
		mv $@.new $@
