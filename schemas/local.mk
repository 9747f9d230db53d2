# The D-Bus interface; the glue is made in src/control.
dist_pkgschema_DATA += %D%/org.kiln.VM1.xml
dist_pkgschema_DATA += %D%/kiln-domain.rng

# Beside the program in the build tree, where it looks first.
noinst_DATA += kiln-domain.rng
kiln-domain.rng: $(srcdir)/%D%/kiln-domain.rng
	$(AM_V_GEN)cp $(srcdir)/%D%/kiln-domain.rng $@
CLEANFILES += kiln-domain.rng
