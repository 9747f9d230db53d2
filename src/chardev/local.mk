# Character devices: what the guest's serial ports and consoles are on the host.
noinst_LIBRARIES += libkiln-chardev.a
libkiln_chardev_a_SOURCES = %D%/chardev.h
