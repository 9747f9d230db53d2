# Unit tests of the room virtio; see tests/local.mk for KILN_TEST_LIBS.
virtio_tests = tests/virtio/device-test
check_PROGRAMS += $(virtio_tests)
TESTS += $(virtio_tests)
virtio_echo = tests/virtio/echo.c tests/virtio/echo.h
tests_virtio_device_test_SOURCES = tests/virtio/device-test.c $(virtio_echo)
