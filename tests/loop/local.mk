# Unit tests of the room loop.
loop_tests = tests/loop/coroutine-test tests/loop/source-test tests/loop/thread-test tests/loop/uring-test
check_PROGRAMS += $(loop_tests)
TESTS += $(loop_tests)
tests_loop_source_test_SOURCES = tests/loop/source-test.c
tests_loop_thread_test_SOURCES = tests/loop/thread-test.c
tests_loop_uring_test_SOURCES = tests/loop/uring-test.c
tests_loop_coroutine_test_SOURCES = tests/loop/coroutine-test.c
