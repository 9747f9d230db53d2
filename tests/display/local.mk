# Unit tests of the room display.
display_tests = tests/display/surface-test tests/display/input-test
check_PROGRAMS += $(display_tests)
TESTS += $(display_tests)
tests_display_surface_test_SOURCES = tests/display/surface-test.c
tests_display_input_test_SOURCES = tests/display/input-test.c

# The VNC server is linked in: it takes the place of some of the library's functions here as in its module.
check_LIBRARIES += libkiln-vnc.a
libkiln_vnc_a_SOURCES = $(vnc_sources)
libkiln_vnc_a_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS)
check_PROGRAMS += tests/display/vnc-test
TESTS += tests/display/vnc-test
tests_display_vnc_test_SOURCES = tests/display/vnc-test.c tests/display/vnc-client.c \
	tests/display/vnc-client.h
tests_display_vnc_test_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS)
tests_display_vnc_test_LDADD = libkiln-vnc.a $(KILN_TEST_LIBS) $(VNC_LIBS)
