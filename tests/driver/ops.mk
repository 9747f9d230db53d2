# driver/ops on a fake list of domains, and without a socket.
check_PROGRAMS += tests/driver/ops-domain-test
TESTS += tests/driver/ops-domain-test
tests_driver_ops_domain_test_SOURCES = tests/driver/ops-domain-test.c \
	tests/driver/fake-call.c tests/driver/fake-call.h \
	tests/driver/fake-guest.c tests/driver/fake-guest.h
tests_driver_ops_domain_test_CFLAGS = $(AM_DRIVER_CFLAGS) $(CHECK_CFLAGS)
tests_driver_ops_domain_test_LDADD = libkiln-test.a libkiln-ops.a libkiln-agent.a libkiln-protocol.a \
	libkiln-error.a libkiln-firmware.a libkiln-domain.a libkiln-base.a $(CHECK_LIBS) $(GIO_LIBS) $(TIRPC_LIBS) $(JSON_LIBS) $(KILN_LIBS)

# The stock client, against the daemon itself.
TESTS += tests/driver/virsh-test.py
dist_check_SCRIPTS += tests/driver/virsh-test.py

# virtkilnd killed at random points, and clients that are none of libvirt's.  200 kills and 10,000
# connections: make check-driver-kill
TESTS += tests/driver/kill-test.py tests/driver/noise-test.py
dist_check_SCRIPTS += tests/driver/kill-test.py tests/driver/noise-test.py
EXTRA_DIST += tests/driver/wire.py
check-driver-kill: all tests/driver/fake-kiln
	@$(AM_TESTS_ENVIRONMENT) KILN_KILLS=$${KILN_KILLS-200} $(PYTHON3) $(srcdir)/tests/driver/kill-test.py
	@$(AM_TESTS_ENVIRONMENT) KILN_CONNECTIONS=$${KILN_CONNECTIONS-10000} \
		$(PYTHON3) $(srcdir)/tests/driver/noise-test.py
.PHONY: check-driver-kill

# libvirt's own test documents, of its source package, which is fetched the first time: half a minute.
EXTRA_DIST += tests/driver/corpus-test.py tests/driver/corpus-source
check-corpus: all tests/driver/fake-kiln
	@$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(srcdir)/tests/driver/corpus-test.py
.PHONY: check-corpus

# virt-manager, which needs a screen of its own, and guests of /dev/kvm.
EXTRA_DIST += tests/driver/gui-test.py
check-driver-gui: all tests/machine/guest.elf
	@$(AM_TESTS_ENVIRONMENT) G_DEBUG= $(PYTHON3) $(srcdir)/tests/driver/gui-test.py
.PHONY: check-driver-gui
