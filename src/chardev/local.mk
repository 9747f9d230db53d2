noinst_LIBRARIES += libkiln-chardev.a
libkiln_chardev_a_SOURCES =
