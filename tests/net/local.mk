# Tests of src/net.
