# Unit tests of the room firmware: as a library, and as the module that the program loads.
check_PROGRAMS += tests/firmware/firmware-test
TESTS += tests/firmware/firmware-test
tests_firmware_firmware_test_SOURCES = tests/firmware/firmware-test.c
tests_firmware_firmware_test_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JSON_CFLAGS)
tests_firmware_firmware_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_firmware_firmware_test_LDADD = libkiln-test.a libkiln-firmware.a $(WHOLE_BEGIN) \
	libkiln-domain.a libkiln-base.a $(WHOLE_END) $(CHECK_LIBS) $(JSON_LIBS) $(KILN_LIBS)
EXTRA_tests_firmware_firmware_test_DEPENDENCIES = firmware.so
