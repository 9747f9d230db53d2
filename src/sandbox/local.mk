noinst_LIBRARIES += libkiln-sandbox.a
libkiln_sandbox_a_SOURCES = %D%/sandbox.h
