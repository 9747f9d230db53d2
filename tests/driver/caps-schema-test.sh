#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Capabilities and domain capabilities are legal by libvirt's schemas.
schemas=/usr/share/libvirt/schemas
command -v xmllint >/dev/null || { echo "1..0 # SKIP xmllint (package libxml2-utils) is not there"; exit 0; }
[ -r "$schemas/domaincaps.rng" ] || { echo "1..0 # SKIP $schemas (package libvirt0) is not there"; exit 0; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
echo "1..7"
if "$KILN_BUILDDIR"/tests/driver/caps-print "$folder"; then echo "ok 1 - written"; else echo "not ok 1 - written"; fi
number=1
for document in "$folder"/*.xml; do
    number=$((number + 1))
    case $document in
    *-domcaps.xml) schema=$schemas/domaincaps.rng ;;
    *) schema=$schemas/capability.rng ;;
    esac
    if said=$(xmllint --nonet --noout --relaxng "$schema" "$document" 2>&1); then
        echo "ok $number - ${document##*/}"
    else
        echo "not ok $number - ${document##*/}"
        echo "$said" | sed 's/^/# /'
    fi
done
