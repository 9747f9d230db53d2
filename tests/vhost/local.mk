# Tests of src/vhost.
vhost_tests = tests/vhost/user-test
check_PROGRAMS += $(vhost_tests)
TESTS += $(vhost_tests)
tests_vhost_user_test_SOURCES = tests/vhost/user-test.c \
	tests/lib/vhost-user-peer.c tests/lib/vhost-user-peer.h
