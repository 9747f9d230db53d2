# Tests of src/vfio.
vfio_tests = tests/vfio/container-test
check_PROGRAMS += $(vfio_tests)
TESTS += $(vfio_tests)
tests_vfio_container_test_SOURCES = tests/vfio/container-test.c
