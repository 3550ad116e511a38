#!/bin/sh
# Check this folder: sh check.sh
#
# Every file must be what SHA256SUMS says, and every output within its tolerance (0: equal). Exits with 0 if so, 1 where a
# file was changed or an output is wrong, 2 where nothing could be compiled. CC and CFLAGS choose the compiler, RUN what
# runs the programs, such as RUN=qemu-arm.
cd "$(dirname "$0")" || exit 2
. ./check_files.sh || exit 2
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
status=0
while read -r set; do
    make -s OUT="$made" SOURCE="$set.c" PROGRAM="check_$set" check_program || exit 2
    $RUN "$made/check_$set" "$set"
    found=$?
    [ "$found" -le 2 ] || {
        echo "the check of $set ended with status $found"
        found=1
    }
    [ "$found" -le "$status" ] || status=$found
done < golden/sets.txt
[ "$status" = 0 ] && echo ok
exit "$status"
