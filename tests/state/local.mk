# Unit tests of the room state; see tests/local.mk for KILN_TEST_LIBS.
