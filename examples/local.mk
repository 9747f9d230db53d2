# Files of examples, each a document of its own.
EXTRA_DIST += %D%/database.xml %D%/debian.xml %D%/desktop.xml %D%/hostdev.xml %D%/minimal.xml %D%/nbd.xml %D%/network-bridge.xml \
	%D%/network-user.xml %D%/server.xml %D%/shared-root.xml %D%/tpm.xml
