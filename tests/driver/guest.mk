# Unit tests of the room guest, with a process in the place of kiln.
driver_guest_tests = tests/driver/guest-store-test tests/driver/guest-life-test \
	tests/driver/guest-talk-test tests/driver/guest-adopt-test \
	tests/driver/guest-live-check-test
check_PROGRAMS += $(driver_guest_tests) tests/driver/fake-kiln
TESTS += $(driver_guest_tests)
guest_fixture = tests/driver/guest-fixture.c tests/driver/guest-fixture.h
guest_test_libs = libkiln-test.a libkiln-guest.a libkiln-error.a libkiln-vm1-glue.a libkiln-control.a \
	libkiln-domain.a libkiln-loop.a libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(KILN_LIBS)
guest_test_cflags = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)

tests_driver_fake_kiln_SOURCES = tests/driver/fake-kiln.c
tests_driver_fake_kiln_CFLAGS = $(guest_test_cflags)
tests_driver_fake_kiln_LDADD = $(guest_test_libs)
tests_driver_guest_store_test_SOURCES = tests/driver/guest-store-test.c $(guest_fixture)
tests_driver_guest_store_test_CFLAGS = $(guest_test_cflags)
tests_driver_guest_store_test_LDADD = $(guest_test_libs)
tests_driver_guest_life_test_SOURCES = tests/driver/guest-life-test.c $(guest_fixture)
tests_driver_guest_life_test_CFLAGS = $(guest_test_cflags)
tests_driver_guest_life_test_LDADD = $(guest_test_libs)
tests_driver_guest_talk_test_SOURCES = tests/driver/guest-talk-test.c $(guest_fixture)
tests_driver_guest_talk_test_CFLAGS = $(guest_test_cflags)
tests_driver_guest_talk_test_LDADD = $(guest_test_libs)
tests_driver_guest_adopt_test_SOURCES = tests/driver/guest-adopt-test.c $(guest_fixture)
tests_driver_guest_adopt_test_CFLAGS = $(guest_test_cflags)
tests_driver_guest_adopt_test_LDADD = $(guest_test_libs)
tests_driver_guest_live_check_test_SOURCES = tests/driver/guest-live-check-test.c
tests_driver_guest_live_check_test_CFLAGS = $(guest_test_cflags)
tests_driver_guest_live_check_test_LDADD = $(guest_test_libs)
