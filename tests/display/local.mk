# Unit tests of the room display.
display_tests = tests/display/surface-test tests/display/input-test
check_PROGRAMS += $(display_tests)
TESTS += $(display_tests)
tests_display_surface_test_SOURCES = tests/display/surface-test.c
tests_display_input_test_SOURCES = tests/display/input-test.c
