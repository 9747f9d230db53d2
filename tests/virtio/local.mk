# Tests of src/virtio.
