noinst_LIBRARIES += libkiln-domain.a
libkiln_domain_a_SOURCES = %D%/xml.h
