# Unit tests of the room domain; see tests/local.mk for KILN_TEST_LIBS.
