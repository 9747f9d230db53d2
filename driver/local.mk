# virtkilnd, the libvirt driver.  Its rooms are folders here; src/ROOMS has them too.
AM_DRIVER_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) $(TIRPC_CFLAGS) $(LIBVIRT_CFLAGS) $(JSON_CFLAGS)

include driver/error/local.mk
include driver/rpc/local.mk
include driver/guest/local.mk
include driver/caps/local.mk
include driver/relay/local.mk
include driver/agent/local.mk
include driver/ops/local.mk
include driver/daemon/local.mk

# Lowest room last, as the linker wants it.
KILN_DRIVER_LIBS = libkiln-ops.a libkiln-caps.a libkiln-relay.a libkiln-agent.a libkiln-guest.a \
	libkiln-rpc.a libkiln-protocol.a libkiln-error.a libkiln-vm1-glue.a libkiln-control.a \
	libkiln-kvm.a libkiln-memory.a libkiln-firmware.a libkiln-domain.a libkiln-loop.a libkiln-base.a \
	$(GIO_LIBS) $(TIRPC_LIBS) $(JSON_LIBS) $(KILN_LIBS)
