# Unit tests of the room boot; see tests/local.mk for KILN_TEST_LIBS.
