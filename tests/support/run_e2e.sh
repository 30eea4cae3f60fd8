#!/bin/sh
# Runs one end-to-end test with the right interpreter; called by ctest with the test's path.
# Shell tests run by bash, with $PYTHON naming the interpreter that has the SDKs. Python tests run
# by that one too, unless their first line asks for Debian's own (#!/usr/bin/python3), which alone
# sees packages that apt installed.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=$root/build/venv/bin/python
[ -x "$PYTHON" ] || PYTHON=python3
PATH=$PATH:$root/build/tools/usr/bin # promtool
export PATH PYTHON PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
case $1 in
*.py)
    case $(head -n 1 "$1") in
    '#!/usr/bin/python3'*) exec /usr/bin/python3 "$@" ;;
    esac
    exec "$PYTHON" "$@"
    ;;
*) exec bash "$@" ;;
esac
