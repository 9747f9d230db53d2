# Unit tests of the room schema: its module, loaded as the program loads it.
check_PROGRAMS += tests/schema/schema-test
TESTS += tests/schema/schema-test
tests_schema_schema_test_SOURCES = tests/schema/schema-test.c
tests_schema_schema_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
tests_schema_schema_test_LDADD = libkiln-test.a $(WHOLE_BEGIN) libkiln-domain.a libkiln-base.a \
	$(WHOLE_END) $(CHECK_LIBS) $(KILN_LIBS)
EXTRA_tests_schema_schema_test_DEPENDENCIES = schema.so
