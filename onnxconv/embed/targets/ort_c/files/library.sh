#!/bin/sh
# The path of onnxruntime's shared library: the variable ONNXRUNTIME, else that of an onnxruntime for Python, else nothing,
# which stands for the one that the system finds.
[ -n "$ONNXRUNTIME" ] && echo "$ONNXRUNTIME" && exit
${PYTHON:-python3} -c '
import glob, importlib.util, os
found = importlib.util.find_spec("onnxruntime")
print(*sorted(glob.glob(os.path.join(os.path.dirname(found.origin), "capi", "libonnxruntime.so*")))[:1] if found else [])
' 2> /dev/null
