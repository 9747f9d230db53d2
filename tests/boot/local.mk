# Unit tests of the room boot.
boot_tests = tests/boot/boot-test tests/boot/nvram-test
check_PROGRAMS += $(boot_tests)
TESTS += $(boot_tests)
tests_boot_boot_test_SOURCES = tests/boot/boot-test.c \
	tests/lib/boot-image.c tests/lib/boot-image.h
tests_boot_nvram_test_SOURCES = tests/boot/nvram-test.c
