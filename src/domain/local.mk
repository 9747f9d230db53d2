noinst_LIBRARIES += libkiln-domain.a
libkiln_domain_a_SOURCES = \
	%D%/address.c %D%/address.h \
	%D%/clock.c %D%/clock.h \
	%D%/cpu.c %D%/cpu.h \
	%D%/fault.c %D%/fault.h \
	%D%/features.c %D%/features.h \
	%D%/fields.c %D%/fields.h \
	%D%/kept.c %D%/kept.h \
	%D%/memory.c %D%/memory.h \
	%D%/numa.c %D%/numa.h \
	%D%/os.c %D%/os.h \
	%D%/sysinfo.c %D%/sysinfo.h \
	%D%/tune.c %D%/tune.h \
	%D%/xml-writer.c %D%/xml-writer.h \
	%D%/xml.c %D%/xml.h
