# Files of man
dist_man_MANS += man/kiln-domain.5
