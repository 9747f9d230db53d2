noinst_LIBRARIES += libkiln-vhost.a
libkiln_vhost_a_SOURCES = \
	%D%/kernel.c %D%/kernel.h \
	%D%/net.c %D%/net.h \
	%D%/user.c %D%/user.h \
	%D%/user-backend.c %D%/user-backend.h \
	%D%/user-link.c %D%/user-link.h \
	%D%/user-message.c %D%/user-message.h \
	%D%/vhost.c %D%/vhost.h
