noinst_LIBRARIES += libkiln-net.a
libkiln_net_a_SOURCES = \
	%D%/afterwards.c %D%/afterwards.h \
	%D%/bridge-helper.c %D%/bridge-helper.h \
	%D%/interface.c %D%/interface.h \
	%D%/netdev.c %D%/netdev.h \
	%D%/null.c %D%/null.h \
	%D%/packet-fd.c %D%/packet-fd.h \
	%D%/packet-ring.c %D%/packet-ring.h \
	%D%/passt.c %D%/passt.h \
	%D%/pcap.c %D%/pcap.h \
	%D%/shaper.c %D%/shaper.h \
	%D%/stream.c %D%/stream.h \
	%D%/tap.c %D%/tap.h
