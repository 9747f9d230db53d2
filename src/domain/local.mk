noinst_LIBRARIES += libkiln-domain.a
libkiln_domain_a_SOURCES = \
	%D%/address.c %D%/address.h \
	%D%/fault.c %D%/fault.h \
	%D%/fields.c %D%/fields.h \
	%D%/xml-writer.c %D%/xml-writer.h \
	%D%/xml.c %D%/xml.h
