# Unit tests of the room loop; see tests/local.mk for KILN_TEST_LIBS.
