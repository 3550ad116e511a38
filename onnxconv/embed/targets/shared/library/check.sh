#!/bin/sh
# Check this folder: sh check.sh
#
# Every file must be what SHA256SUMS says, and every output within its tolerance (0: equal). Exits with 0 if so, 1 where a
# file was changed or an output is wrong, 2 where nothing could be compiled or run. library.sh says where the runtime is.
cd "$(dirname "$0")" || exit 2
. ./checks.sh || exit 2
demand_files
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
library=$(sh library.sh) || exit 2
make -s OUT="$made" LIBRARY="$library" check || exit 2
check_set() {
    "$made/check" "$1" "$library"
}
every_set
