# Unit tests of the room device; see tests/local.mk for KILN_TEST_LIBS.
