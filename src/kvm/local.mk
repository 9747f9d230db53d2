noinst_LIBRARIES += libkiln-kvm.a
libkiln_kvm_a_SOURCES =
