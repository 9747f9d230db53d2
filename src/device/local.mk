noinst_LIBRARIES += libkiln-device.a
libkiln_device_a_SOURCES = \
	%D%/clock.h \
	%D%/i8042.h \
	%D%/ich9-lpc.h \
	%D%/ich9-pm.h \
	%D%/mch.h \
	%D%/port92.h \
	%D%/pvpanic.h \
	%D%/reset.h \
	%D%/rtc.h \
	%D%/serial.h
