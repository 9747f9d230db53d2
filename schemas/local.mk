# The D-Bus interface; the glue is made in src/control.
dist_pkgschema_DATA += %D%/org.kiln.VM1.xml
dist_pkgschema_DATA += %D%/kiln-domain.rng
