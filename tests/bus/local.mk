# Unit tests of the room bus; see tests/local.mk for KILN_TEST_LIBS.
bus_tests = tests/bus/irq-test \
	tests/bus/msix-test \
	tests/bus/pci-rom-test \
	tests/bus/pci-setup-test \
	tests/bus/pci-stress-test \
	tests/bus/pci-test \
	tests/bus/space-stress-test \
	tests/bus/space-test
check_PROGRAMS += $(bus_tests)
TESTS += $(bus_tests)
tests_bus_irq_test_SOURCES = tests/bus/irq-test.c
tests_bus_msix_test_SOURCES = tests/bus/msix-test.c
tests_bus_pci_rom_test_SOURCES = tests/bus/pci-rom-test.c
tests_bus_pci_setup_test_SOURCES = tests/bus/pci-setup-test.c
tests_bus_pci_stress_test_SOURCES = tests/bus/pci-stress-test.c
tests_bus_pci_test_SOURCES = tests/bus/pci-test.c
tests_bus_space_stress_test_SOURCES = tests/bus/space-stress-test.c
tests_bus_space_test_SOURCES = tests/bus/space-test.c
