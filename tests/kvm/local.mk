# Files of tests/kvm
