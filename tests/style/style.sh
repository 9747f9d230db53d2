#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every source keeps to the rules of build-aux/check-style, one test a rule.
top=${KILN_SRCDIR:-.}
exec "${PYTHON3:-python3}" "$top/build-aux/check-style" --tap "$top"
