# Tests of src/net.
net_tests = tests/net/netdev-test tests/net/passt-test tests/net/stream-test tests/net/tap-test
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
tests_net_netdev_test_SOURCES = tests/net/netdev-test.c
tests_net_passt_test_SOURCES = tests/net/passt-test.c \
	tests/net/namespace.c tests/net/namespace.h
tests_net_stream_test_SOURCES = tests/net/stream-test.c
tests_net_tap_test_SOURCES = tests/net/tap-test.c \
	tests/net/namespace.c tests/net/namespace.h
