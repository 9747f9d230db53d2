noinst_LIBRARIES += libkiln-vhost.a
libkiln_vhost_a_SOURCES = \
	%D%/vhost.h
