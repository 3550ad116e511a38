#!/bin/sh
# Check this folder: sh check.sh
#
# Every file must be what SHA256SUMS says, and every output within its tolerance (0: equal). Exits with 0 if so, 1 where a
# file was changed or an output is wrong, 2 where nothing could be compiled or run. ONNXRUNTIME is the path of onnxruntime's
# shared library; without it that of an onnxruntime for Python is taken, else the one that the system finds.
cd "$(dirname "$0")" || exit 2
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
library=${ONNXRUNTIME:-$(${PYTHON:-python3} -c '
import glob, importlib.util, os
found = importlib.util.find_spec("onnxruntime")
print(*sorted(glob.glob(os.path.join(os.path.dirname(found.origin), "capi", "libonnxruntime.so*")))[:1] if found else [])
' 2> /dev/null)}
make -s OUT="$made" check || exit 2
status=0
while read -r set; do
    "$made/check" "$set" "$library"
    found=$?
    [ "$found" -le "$status" ] || status=$found
done < golden/sets.txt
[ "$status" = 0 ] && echo ok
exit "$status"
