# Tests of src/net.
net_tests = tests/net/netdev-test tests/net/tap-test
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
tests_net_netdev_test_SOURCES = tests/net/netdev-test.c
tests_net_tap_test_SOURCES = tests/net/tap-test.c
