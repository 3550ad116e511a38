#!/bin/sh
# Check this folder: sh check.sh
#
# Every file must be what SHA256SUMS says, and every output within its tolerance (0: equal). Exits with 0 if so, 1 where a
# file was changed or an output is wrong, 2 where nothing could be compiled. CC and CFLAGS choose the compiler, RUN what
# runs the programs, such as RUN=qemu-arm.
cd "$(dirname "$0")" || exit 2
. ./checks.sh || exit 2
demand_files
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
check_set() {
    make -s OUT="$made" SOURCE="$1.c" PROGRAM="check_$1" check_program || exit 2
    $RUN "$made/check_$1" "$1"
}
every_set
