# Tests of src/block.
