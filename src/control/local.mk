# The control socket (in the program), and its D-Bus server (a module, loaded with the first client).
noinst_LIBRARIES += libkiln-control.a libkiln-vm1-glue.a
libkiln_control_a_SOURCES = \
	%D%/listener.c %D%/listener.h \
	%D%/module.h \
	%D%/paths.c %D%/paths.h

# Both ends of the interface, generated.
vm1_glue = %D%/vm1-glue.c %D%/vm1-glue.h
BUILT_SOURCES += $(vm1_glue)
CLEANFILES += $(vm1_glue)
nodist_libkiln_vm1_glue_a_SOURCES = $(vm1_glue)
libkiln_vm1_glue_a_SOURCES = %D%/dbus-error.c %D%/dbus-error.h
libkiln_vm1_glue_a_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) -fPIC -Wno-error -w

%D%/vm1-glue.c: schemas/org.kiln.VM1.xml
	$(AM_V_GEN)$(MKDIR_P) %D% && $(GDBUS_CODEGEN) --interface-prefix org.kiln. \
		--c-namespace KilnDbus --c-generate-autocleanup all --output $@ --body $<
%D%/vm1-glue.h: schemas/org.kiln.VM1.xml
	$(AM_V_GEN)$(MKDIR_P) %D% && $(GDBUS_CODEGEN) --interface-prefix org.kiln. \
		--c-namespace KilnDbus --c-generate-autocleanup all --output $@ --header $<

module_PROGRAMS += control.so
control_so_SOURCES = %D%/server.c
nodist_control_so_SOURCES = %D%/vm1-glue.h
control_so_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) -fPIC
control_so_LDFLAGS = $(AM_LDFLAGS) -shared
control_so_LDADD = libkiln-vm1-glue.a $(GIO_LIBS)

# For those who make one file and not all.
%D%/control_so-server.$(OBJEXT) %D%/libkiln_vm1_glue_a-vm1-glue.$(OBJEXT): $(vm1_glue)
