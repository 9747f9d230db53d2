noinst_LIBRARIES += libkiln-loop.a
libkiln_loop_a_SOURCES =
