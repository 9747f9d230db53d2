# Unit tests of the room chardev; see tests/local.mk for KILN_TEST_LIBS.
