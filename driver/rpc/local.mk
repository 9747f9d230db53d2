noinst_LIBRARIES += libkiln-rpc.a libkiln-protocol.a
libkiln_rpc_a_CFLAGS = $(AM_DRIVER_CFLAGS)
libkiln_rpc_a_SOURCES = \
	%D%/authenticate.c %D%/authenticate.h \
	%D%/call.c %D%/call.h %D%/call-private.h \
	%D%/client.c %D%/client.h %D%/client-private.h \
	%D%/client-io.c \
	%D%/connection.c %D%/connection.h \
	%D%/dispatch.c %D%/dispatch.h \
	%D%/events.c %D%/events.h %D%/events-private.h \
	%D%/frame.c %D%/frame.h \
	%D%/keepalive.c %D%/keepalive.h \
	%D%/params.c %D%/params.h \
	%D%/peer.c %D%/peer.h \
	%D%/polkit.c %D%/polkit.h \
	%D%/poller.c %D%/poller.h \
	%D%/procedure.h \
	%D%/server.c %D%/server.h %D%/server-private.h \
	%D%/stream.c %D%/stream.h

# The codecs, generated: their code is as it comes.
EXTRA_DIST += %D%/protocol.x
protocol_glue = %D%/protocol.c %D%/protocol.h
BUILT_SOURCES += $(protocol_glue)
CLEANFILES += $(protocol_glue)
nodist_libkiln_protocol_a_SOURCES = $(protocol_glue)
libkiln_protocol_a_SOURCES = %D%/text.c %D%/text.h
libkiln_protocol_a_CFLAGS = $(AM_DRIVER_CFLAGS) -Wno-error -w

# It writes what it includes as it is asked: from the folder.
%D%/protocol.h: %D%/protocol.x
	$(AM_V_GEN)$(MKDIR_P) %D% && rm -f $@ && \
		(cd $(srcdir)/%D% && $(RPCGEN) -h protocol.x) >$@.new && mv $@.new $@
%D%/protocol.c: %D%/protocol.x
	$(AM_V_GEN)$(MKDIR_P) %D% && rm -f $@ && \
		(cd $(srcdir)/%D% && $(RPCGEN) -c protocol.x) >$@.new && mv $@.new $@
%D%/libkiln_protocol_a-protocol.$(OBJEXT): $(protocol_glue)
