# Unit tests of the room machine; see tests/local.mk for KILN_TEST_LIBS.
