# Files of tests/testbed
EXTRA_DIST += %D%/suite %D%/document.py %D%/vmm.py %D%/facts.py %D%/check %D%/system.py %D%/systems.py \
	%D%/disks.py %D%/driver.py %D%/lives.py %D%/memory.py %D%/scsi.py %D%/spare.py %D%/host-setup \
	%D%/installs.py %D%/tools.py %D%/tour.py %D%/tour_definitions.py %D%/uefi.py

# Stock kernels on a real KVM: QEMU emulates a machine that has one.  Needs what
# `scripts/install-deps testbed` installs.  Minutes, and root or sudo the first time.
check-testbed: all
	$(SHELL) $(srcdir)/%D%/check '$(abs_srcdir)' '$(abs_builddir)' '$(MAKE)'
.PHONY: check-testbed

EXTRA_DIST += %D%/firmware.py
