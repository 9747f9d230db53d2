# Files of src/control
