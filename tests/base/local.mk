# Unit tests of the room base; see tests/local.mk for KILN_TEST_LIBS.
base_tests = tests/base/bitmap-test tests/base/log-test \
	tests/base/process-test tests/base/statistics-test \
	tests/base/trim-test
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_base_bitmap_test_SOURCES = tests/base/bitmap-test.c
tests_base_log_test_SOURCES = tests/base/log-test.c
tests_base_process_test_SOURCES = tests/base/process-test.c
tests_base_trim_test_SOURCES = tests/base/trim-test.c
tests_base_statistics_test_SOURCES = tests/base/statistics-test.c
