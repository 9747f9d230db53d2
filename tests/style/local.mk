# The house rules: what they find in this tree, and that they find what they are for.
style_tests = tests/style/rooms.sh tests/style/rules.py tests/style/style.sh
TESTS += $(style_tests)
EXTRA_DIST += $(style_tests) build-aux/check-rooms build-aux/check-style
