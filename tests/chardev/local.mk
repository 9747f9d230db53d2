# Unit tests of the room chardev; see tests/local.mk for KILN_TEST_LIBS.
chardev_tests = tests/chardev/ring-test tests/chardev/telnet-test tests/chardev/chardev-test \
	tests/chardev/terminal-test
check_PROGRAMS += $(chardev_tests)
TESTS += $(chardev_tests)
tests_chardev_ring_test_SOURCES = tests/chardev/ring-test.c
tests_chardev_telnet_test_SOURCES = tests/chardev/telnet-test.c
tests_chardev_chardev_test_SOURCES = tests/chardev/chardev-test.c
tests_chardev_terminal_test_SOURCES = tests/chardev/terminal-test.c
