noinst_LIBRARIES += libkiln-machine.a
libkiln_machine_a_SOURCES = %D%/machine.h
