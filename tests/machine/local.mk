# What needs no KVM.
check_PROGRAMS += tests/machine/boot-order-test
TESTS += tests/machine/boot-order-test
tests_machine_boot_order_test_SOURCES = tests/machine/boot-order-test.c

# The whole program with a guest of a few instructions, on /dev/kvm: `make check-kvm`.
tests/machine/guest.elf: $(srcdir)/tests/machine/guest.S
	@$(MKDIR_P) tests/machine
	$(AM_V_CCLD)$(CC) $(GUEST_LINK) -o $@ $(srcdir)/tests/machine/guest.S
tests/machine/guest-multiboot.elf: $(srcdir)/tests/machine/guest.S
	@$(MKDIR_P) tests/machine
	$(AM_V_CCLD)$(CC) $(GUEST_LINK) -DMULTIBOOT -o $@ $(srcdir)/tests/machine/guest.S

KVM_TESTS += tests/machine/machine-kvm.py
KVM_TEST_FILES += tests/machine/guest.elf tests/machine/guest-multiboot.elf
EXTRA_DIST += tests/machine/guest.S tests/machine/machine-kvm.py
CLEANFILES += tests/machine/guest.elf tests/machine/guest-multiboot.elf

check_PROGRAMS += tests/machine/msi-kvm tests/machine/state-kvm
KVM_TESTS += tests/machine/msi-kvm tests/machine/state-kvm
tests_machine_msi_kvm_SOURCES = tests/machine/msi-kvm.c $(kvm_guest_sources)
tests_machine_state_kvm_SOURCES = tests/machine/state-kvm.c
