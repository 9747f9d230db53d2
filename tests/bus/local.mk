# Unit tests of the room bus; see tests/local.mk for KILN_TEST_LIBS.
