#!/usr/bin/env bash
# Makes .venv hold exactly what requirements.lock names, and the checkout itself as an editable install.
#
# Needs nothing but Python >= 3.11 with venv. A digest of everything that makes .venv is kept inside it, so a second run is instant.
# pip stays inside: the Pulumi Python language host asks the program's own interpreter for its packages through pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=""
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [[ -n $candidate ]] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z $python ]]; then
    echo "error: no Python >= 3.11 on PATH" >&2
    echo "  fix:  apt-get install python3 python3-venv, or set PYTHON to a newer interpreter" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "error: $python cannot make virtual environments" >&2
    echo "  fix:  apt-get install python3-venv" >&2
    exit 2
fi

stamp=.venv/curtilage-stamp
want=$({
    "$python" -c 'import platform, sys; print(sys.version, platform.machine())'
    pwd -P # an editable install and a venv's scripts hold the checkout's path
    cat requirements.lock tools/uv.lock pyproject.toml tools/bootstrap.sh
} | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
if [[ -x .venv/bin/curtilage && -f $stamp && $(cat "$stamp") == "$want" ]]; then
    exit 0
fi

# One bootstrap at a time: two would write into each other's environment.
exec 9>.bootstrap.lock
if ! flock -n 9; then
    echo "bootstrap: another one is running; waiting" >&2
    flock 9
    if [[ -f $stamp && $(cat "$stamp") == "$want" ]]; then
        exit 0
    fi
fi

echo "bootstrap: making .venv from requirements.lock" >&2
rm -f "$stamp"
if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf .venv
    "$python" -m venv .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tools/uv.lock
# uv's sync removes what the lock does not name, pip and uv among it, so the locked set goes in by install and the rest is removed by name.
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --no-deps -r requirements.lock
extra=$(.venv/bin/python tools/unlocked.py requirements.lock tools/uv.lock)
if [[ -n $extra ]]; then
    # shellcheck disable=SC2086  # one name a word
    .venv/bin/uv pip uninstall --quiet --python .venv/bin/python $extra
fi
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
.venv/bin/curtilage --version >/dev/null
echo "$want" >"$stamp"
echo "bootstrap: .venv is ready after ${SECONDS} s" >&2
