# Files of examples
