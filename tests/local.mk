# How a unit test is added: in tests/ROOM/local.mk
#   check_PROGRAMS += tests/ROOM/thing-test
#   tests_ROOM_thing_test_SOURCES = tests/ROOM/thing-test.c
#   TESTS += tests/ROOM/thing-test
# Each prints TAP, one line a test, so that every one is counted.  A test needs no root, no network
# and no KVM, makes its own temporary directory, and waits for events, never for time.

check_LIBRARIES += libkiln-test.a
libkiln_test_a_SOURCES = tests/lib/kiln-test.c tests/lib/kiln-test.h \
	tests/lib/kiln-board.c tests/lib/kiln-board.h \
	tests/lib/kiln-card.c tests/lib/kiln-card.h \
	tests/lib/virtio-driver.c tests/lib/virtio-driver.h \
	tests/lib/virtio-driver-private.h tests/lib/virtio-driver-ring.c
libkiln_test_a_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)

KILN_TEST_LIBS = libkiln-test.a $(KILN_ROOM_LIBS) $(CHECK_LIBS) $(KILN_LIBS)

# What a test program is linked with unless it says otherwise.
LDADD = $(KILN_TEST_LIBS)

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh --comments
TEST_EXTENSIONS = .py .sh
PY_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_COMPILER = $(PYTHON3)
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(SHELL)
# GIO hands the driver's work from thread to thread by locks that ThreadSanitizer does not see: there it
# can tell nothing, and would tell much.  $f is the test, as automake has it.
AM_TESTS_ENVIRONMENT = \
	LC_ALL=C; export LC_ALL; \
	G_DEBUG=fatal-warnings; export G_DEBUG; \
	MALLOC_PERTURB_=$${MALLOC_PERTURB_-173}; export MALLOC_PERTURB_; \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1; export UBSAN_OPTIONS; \
	TSAN_OPTIONS=suppressions='$(abs_srcdir)/tests/tsan.supp'; export TSAN_OPTIONS; \
	case "$$f" in tests/driver/*) TSAN_OPTIONS="$$TSAN_OPTIONS:report_bugs=0";; esac; \
	KILN_SRCDIR='$(abs_srcdir)'; export KILN_SRCDIR; \
	KILN_BUILDDIR='$(abs_builddir)'; export KILN_BUILDDIR; \
	PYTHON3='$(PYTHON3)'; export PYTHON3; IASL='$(IASL)'; export IASL;

EXTRA_DIST += tests/tsan.supp

include tests/base/local.mk
include tests/loop/local.mk
include tests/state/local.mk
include tests/domain/local.mk
include tests/memory/local.mk
include tests/kvm/local.mk
include tests/bus/local.mk
include tests/vfio/local.mk
include tests/vhost/local.mk
include tests/virtio/local.mk
include tests/block/local.mk
include tests/net/local.mk
include tests/device/local.mk
include tests/chardev/local.mk
include tests/display/local.mk
include tests/driver/agent/local.mk
include tests/driver/relay/local.mk
include tests/boot/local.mk
include tests/acpi/local.mk
include tests/machine/local.mk
include tests/driver/ops.mk
include tests/control/local.mk
include tests/schema/local.mk
include tests/resolve/local.mk
include tests/firmware/local.mk
include tests/sandbox/local.mk
include tests/cli/local.mk
include tests/driver/devices.mk
include tests/driver/guest.mk
include tests/driver/rpc.mk
include tests/driver/daemon.mk
include tests/driver/caps.mk
include tests/docs/local.mk
include tests/style/local.mk
include tests/fuzz/local.mk
include tests/testbed/local.mk
