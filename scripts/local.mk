# Files of scripts
EXTRA_DIST += %D%/common.sh %D%/install-deps %D%/testbed %D%/testbed-init %D%/testbed-qemu.c %D%/guest-init \
	%D%/make-initrd %D%/make-system %D%/system-init %D%/guest-agent-shell %D%/extract-vmlinux %D%/demo %D%/demo-guest %D%/test
