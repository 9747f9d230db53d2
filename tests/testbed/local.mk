# Files of tests/testbed
