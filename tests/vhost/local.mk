# Tests of src/vhost.
