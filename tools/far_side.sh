#!/usr/bin/env bash
# The lab as a disconnected site builds it: everything that its hosts are made of comes out of one signed bundle, and nothing here has a network.
#
#   tools/far_side.sh make DIRECTORY   # near side: build the bundle; far side: load it into an empty cache, an empty state and an empty home
#   tools/far_side.sh run DIRECTORY COMMAND...   # a command there: no interface but loopback, no Go, no cache but the loaded one
#
# What stands in: both sides are this machine, and the operator's own Python environment is the checkout's (docs/airgap.md has the wheels).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    echo "usage: tools/far_side.sh make DIRECTORY | run DIRECTORY COMMAND..." >&2
    exit 2
}
[[ $# -ge 2 ]] || usage
verb=$1
mkdir -p "$2"
far=$(cd "$2" && pwd -P)
shift 2

disconnected() { # disconnected COMMAND...: in a network namespace whose one interface is loopback, with nothing of the near side but the checkout
    # Without Go's directories no engine can be built: the loaded one must do.
    local path=".venv/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --net env -i "PATH=$PWD/$path" "HOME=$far/home" LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1 \
        "CURTILAGE_CACHE=$far/cache" "CURTILAGE_STATE=$far/state" \
        sh -c 'ip link set lo up && exec "$@"' far-side "$@"
}

case $verb in
    make)
        rm -rf "${far:?}"/{bundle,cache,state,home}
        mkdir -p "$far/home"
        .venv/bin/python -m curtilage.commands.prepare # what `curtilage up lab` makes here before it seals anything
        code=0
        .venv/bin/curtilage bundle build lab --out "$far/bundle" || code=$?
        # 3: it says what it lacks. Hosts need no wheels of the operator's machine; anything else that is missing fails the load's test.
        [[ $code == 0 || $code == 3 ]] || exit "$code"
        cp "${CURTILAGE_STATE:-.state}/keys/bundle.pub" "$far/bundle.pub" # another way than the bundle
        disconnected curtilage bundle load lab --bundle "$far/bundle" --key "$far/bundle.pub"
        rm -rf "$far/bundle" # what is not needed again is not kept: it is as large as everything it holds
        ;;
    run)
        [[ $# -ge 1 ]] || usage
        disconnected "$@"
        ;;
    *) usage ;;
esac
