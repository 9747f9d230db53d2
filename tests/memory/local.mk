# Unit tests of the room memory; see tests/local.mk for KILN_TEST_LIBS.
