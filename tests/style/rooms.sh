#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every include of src/ keeps to src/ROOMS, and the check sees one that does not.
echo 1..2
top=${KILN_SRCDIR:-.}
if out=$("${PYTHON3:-python3}" "$top/build-aux/check-rooms" "$top" 2>&1); then
    echo "ok 1 - $out"
else
    echo "not ok 1 - includes keep to src/ROOMS"
    echo "$out" | sed 's/^/# /'
fi
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/src/low" "$dir/src/high"
printf 'low:\nhigh: low\n' >"$dir/src/ROOMS"
echo '#include "high/x.h"' >"$dir/src/low/x.c"
echo '#include "low/x.h"' >"$dir/src/high/x.c"
out=$("${PYTHON3:-python3}" "$top/build-aux/check-rooms" "$dir" 2>&1)
case $? in
1) case $out in
    *low/x.c:1:*high/x.c*) echo "not ok 2 - only the include uphill is found" ;;
    *low/x.c:1:*) echo "ok 2 - an include uphill is found" ;;
    *) echo "not ok 2 - an include uphill is found" ;;
    esac ;;
*) echo "not ok 2 - an include uphill is found" ;;
esac
