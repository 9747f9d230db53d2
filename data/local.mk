# What virtkilnd needs of the system: units, the guests' user, who may, configuration.
EXTRA_DIST += %D%/virtkilnd.service.in %D%/virtkilnd-session.service.in %D%/virtkilnd-session.socket

sysusersdir = $(prefix)/lib/sysusers.d
systemunitdir = $(prefix)/lib/systemd/system
userunitdir = $(prefix)/lib/systemd/user
confdir = $(sysconfdir)/libvirt
polkitdir = $(datadir)/polkit-1/actions
polkitrulesdir = $(datadir)/polkit-1/rules.d
dist_conf_DATA = %D%/virtkilnd.conf %D%/kiln.conf
dist_systemunit_DATA = %D%/virtkilnd.socket %D%/virtkilnd-ro.socket
nodist_systemunit_DATA = %D%/virtkilnd.service
dist_polkit_DATA = %D%/org.kiln.unix.policy
dist_polkitrules_DATA = %D%/60-kiln.rules
CLEANFILES += %D%/virtkilnd.service %D%/virtkilnd-session.service

KILN_UNIT = $(AM_V_GEN)$(MKDIR_P) %D% && $(SED) 's|@sbindir@|$(sbindir)|' $(srcdir)/$@.in >$@.new && mv $@.new $@
%D%/virtkilnd.service: %D%/virtkilnd.service.in Makefile
	$(KILN_UNIT)
%D%/virtkilnd-session.service: %D%/virtkilnd-session.service.in Makefile
	$(KILN_UNIT)
noinst_DATA += %D%/virtkilnd-session.service

# A user's units have the names of the system's.
install-data-local: install-session-units
install-session-units: %D%/virtkilnd-session.service
	$(MKDIR_P) $(DESTDIR)$(userunitdir) $(DESTDIR)$(sysusersdir)
	$(INSTALL_DATA) %D%/virtkilnd-session.service $(DESTDIR)$(userunitdir)/virtkilnd.service
	$(INSTALL_DATA) $(srcdir)/%D%/virtkilnd-session.socket $(DESTDIR)$(userunitdir)/virtkilnd.socket
	$(INSTALL_DATA) $(srcdir)/%D%/kiln-sysusers.conf $(DESTDIR)$(sysusersdir)/kiln.conf
uninstall-local: uninstall-session-units
uninstall-session-units:
	rm -f $(DESTDIR)$(userunitdir)/virtkilnd.service $(DESTDIR)$(userunitdir)/virtkilnd.socket \
		$(DESTDIR)$(sysusersdir)/kiln.conf
.PHONY: install-session-units uninstall-session-units
EXTRA_DIST += %D%/kiln-sysusers.conf
