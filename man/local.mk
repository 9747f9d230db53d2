# Manual pages.
dist_man_MANS += %D%/kiln.1 %D%/kiln-domain.5 %D%/virtkilnd.8 %D%/virtkilnd.conf.5
