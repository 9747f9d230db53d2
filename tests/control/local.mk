# Files of tests/control
