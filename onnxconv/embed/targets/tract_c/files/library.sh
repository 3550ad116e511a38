#!/bin/sh
# The path of tract's shared library: the variable TRACT, else that of a tract for Python, else nothing, which stands for the
# one that the system finds.
[ -n "$TRACT" ] && echo "$TRACT" && exit
${PYTHON:-python3} -c '
import glob, importlib.util, os
found = importlib.util.find_spec("tract")
print(*sorted(glob.glob(os.path.join(os.path.dirname(found.origin), "*.so")))[:1] if found else [])
' 2> /dev/null
