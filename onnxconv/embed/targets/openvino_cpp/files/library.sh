#!/bin/sh
# The folder of OpenVINO, with include and libs in it: the variable OPENVINO, else the package for Python.
[ -n "$OPENVINO" ] && echo "$OPENVINO" && exit
${PYTHON:-python3} -c '
import importlib.util, sys
found = importlib.util.find_spec("openvino")
print(found.submodule_search_locations[0] if found else sys.exit("OpenVINO is missing: pip install --no-deps openvino"))
'
