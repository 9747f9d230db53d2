noinst_LIBRARIES += libkiln-net.a
libkiln_net_a_SOURCES =
