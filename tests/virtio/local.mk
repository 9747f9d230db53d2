# Unit tests of the room virtio; see tests/local.mk for KILN_TEST_LIBS.
virtio_tests = tests/virtio/device-test tests/virtio/model-test tests/virtio/packed-test \
	tests/virtio/pci-test tests/virtio/split-test tests/virtio/thread-test
check_PROGRAMS += $(virtio_tests)
TESTS += $(virtio_tests)
virtio_echo = tests/virtio/echo.c tests/virtio/echo.h
virtio_rings = tests/virtio/rings.c tests/virtio/rings.h
tests_virtio_device_test_SOURCES = tests/virtio/device-test.c $(virtio_echo)
tests_virtio_model_test_SOURCES = tests/virtio/model-test.c $(virtio_echo)
tests_virtio_packed_test_SOURCES = tests/virtio/packed-test.c $(virtio_rings)
tests_virtio_pci_test_SOURCES = tests/virtio/pci-test.c $(virtio_echo)
tests_virtio_thread_test_SOURCES = tests/virtio/thread-test.c $(virtio_echo)
tests_virtio_split_test_SOURCES = tests/virtio/split-test.c $(virtio_rings)
