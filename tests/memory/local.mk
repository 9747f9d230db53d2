# Unit tests of the room memory; see tests/local.mk for KILN_TEST_LIBS.
memory_tests = tests/memory/discard-test tests/memory/layout-test tests/memory/memory-test \
    tests/memory/modules-test
check_PROGRAMS += $(memory_tests)
TESTS += $(memory_tests)
tests_memory_discard_test_SOURCES = tests/memory/discard-test.c
tests_memory_layout_test_SOURCES = tests/memory/layout-test.c
tests_memory_memory_test_SOURCES = tests/memory/memory-test.c
tests_memory_modules_test_SOURCES = tests/memory/modules-test.c
