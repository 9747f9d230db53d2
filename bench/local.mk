# Files of bench
