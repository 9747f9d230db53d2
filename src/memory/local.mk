noinst_LIBRARIES += libkiln-memory.a
libkiln_memory_a_SOURCES =
