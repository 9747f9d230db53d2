noinst_LIBRARIES += libkiln-device.a
libkiln_device_a_SOURCES =
