#!/usr/bin/env bash
# The whole test suite on one machine: fast tiers first, then the real lab, made of one bundle as a disconnected site makes it. Stops at the
# first section that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONDONTWRITEBYTECODE # as the Makefile has it

# In order of what they cost; the lab tier comes after `up`; lab_k8s starts and stops its own cluster. A directory under tests/ that is not named here fails the unit tier.
readonly TIERS=(unit policy render models monitoring audit gateway packets sabotage lab_k8s)
# Two workers for tiers whose tests share nothing but what is read, a file's tests on one of them; the others measure, or own ports or hosts.
readonly -A WORKERS=([unit]=2 [policy]=2 [render]=2 [sabotage]=2)
# What the tests said last; `curtilage up` lays it behind the requirements that rest on it.
readonly RESULTS="${CURTILAGE_STATE:-.state}/tests"
# The far side of the air gap: a cache and a state of its own, of some gigabytes, removed at the end.
readonly FAR="${CURTILAGE_STATE:-$PWD/.state}/far"

report=()
lab_started=""

on_far_side() { # on_far_side COMMAND...: against the lab that was made there
    CURTILAGE_CACHE="$FAR/cache" CURTILAGE_STATE="$FAR/state" "$@"
}

section() { # section NAME COMMAND...: run it under a heading, remember its seconds, stop when it fails
    local name=$1 began=$SECONDS code=0
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" || code=$?
    report+=("$(printf '%-10s %5d s  %s' "$name" $((SECONDS - began)) "$([[ $code == 0 ]] && echo ok || echo "FAILED ($code)")")")
    return "$code"
}

finish() {
    local code=$?
    trap - EXIT
    if [[ -z $lab_started ]] || section "lab down" on_far_side .venv/bin/curtilage down lab; then
        rm -rf "$FAR" # a lab that would not go still runs on it
    else
        code=$((code ? code : 1))
    fi
    printf '\n=== sections\n'
    printf '%s\n' "${report[@]}"
    printf '%-10s %5d s  %s\n' total "$SECONDS" "$([[ $code == 0 ]] && echo ok || echo FAILED)"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

section bootstrap bash tools/bootstrap.sh
section doctor .venv/bin/curtilage doctor --fix
# A machine that cannot run the cluster's real node is told why, and its packets are NOT-RUN; everything else is tested.
section "doctor k8s" .venv/bin/curtilage doctor --kubernetes --fix || true
section checkers .venv/bin/python tools/checkers.py
section engine .venv/bin/python -m curtilage.engine_build
section cluster .venv/bin/python -m lab.kubernetes build
for tier in "${TIERS[@]}"; do
    if [[ -n $(find "tests/$tier" -name "test_*.py" -print -quit 2>/dev/null) ]]; then
        section "$tier" .venv/bin/python -m pytest -q -n "${WORKERS[$tier]:-0}" --dist loadfile --junitxml="$RESULTS/$tier.xml" "tests/$tier"
    fi
done
section "crm package" .venv/bin/python tools/salesforce_checks.py
section "far side" bash tools/far_side.sh make "$FAR"
mkdir -p "$FAR/state/tests"
cp "$RESULTS"/*.xml "$FAR/state/tests/" # the report of a region shows what the product's own tests said
lab_started=yes
section "lab up" bash tools/far_side.sh run "$FAR" curtilage up lab
section lab on_far_side .venv/bin/python -m pytest -q --junitxml="$RESULTS/lab.xml" tests/lab
