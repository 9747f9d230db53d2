# The RPC of virtkilnd, from a hand-made client.
driver_rpc_tests = tests/driver/rpc-limits-test tests/driver/rpc-polkit-test tests/driver/rpc-server-test \
	tests/driver/rpc-stream-test tests/driver/rpc-virsh-test
check_PROGRAMS += $(driver_rpc_tests)
TESTS += $(driver_rpc_tests)
driver_rpc_peer = tests/lib/rpc-peer.c tests/lib/rpc-peer.h
driver_rpc_libs = libkiln-test.a libkiln-rpc.a libkiln-protocol.a libkiln-error.a libkiln-loop.a \
	libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(TIRPC_LIBS) $(KILN_LIBS)

tests_driver_rpc_limits_test_SOURCES = tests/driver/rpc-limits-test.c $(driver_rpc_peer)
tests_driver_rpc_limits_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_limits_test_LDADD = $(driver_rpc_libs)
tests_driver_rpc_polkit_test_SOURCES = tests/driver/rpc-polkit-test.c $(driver_rpc_peer)
tests_driver_rpc_polkit_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_polkit_test_LDADD = $(driver_rpc_libs)
tests_driver_rpc_server_test_SOURCES = tests/driver/rpc-server-test.c $(driver_rpc_peer)
tests_driver_rpc_server_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_server_test_LDADD = $(driver_rpc_libs)
tests_driver_rpc_stream_test_SOURCES = tests/driver/rpc-stream-test.c $(driver_rpc_peer)
tests_driver_rpc_stream_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_stream_test_LDADD = $(driver_rpc_libs)
tests_driver_rpc_virsh_test_SOURCES = tests/driver/rpc-virsh-test.c $(driver_rpc_peer)
tests_driver_rpc_virsh_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_rpc_virsh_test_LDADD = $(driver_rpc_libs)
