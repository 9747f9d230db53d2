# Unit tests of the room sandbox; see tests/local.mk for KILN_TEST_LIBS.
