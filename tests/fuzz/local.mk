# Files of tests/fuzz
