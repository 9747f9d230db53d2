# Unit tests of the room control.
control_tests = tests/control/paths-test tests/control/listener-test
check_PROGRAMS += $(control_tests)
TESTS += $(control_tests)
tests_control_paths_test_SOURCES = tests/control/paths-test.c
tests_control_paths_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
tests_control_listener_test_SOURCES = tests/control/listener-test.c
tests_control_listener_test_LDADD = libkiln-test.a libkiln-control.a $(KILN_TEST_LIBS)
