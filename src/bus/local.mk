noinst_LIBRARIES += libkiln-bus.a
libkiln_bus_a_SOURCES =
