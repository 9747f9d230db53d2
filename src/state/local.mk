noinst_LIBRARIES += libkiln-state.a
libkiln_state_a_SOURCES =
