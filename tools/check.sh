#!/usr/bin/env bash
# Every static check, one line each; a failing one shows its output. All run, so one look shows all there is to fix.
# shellcheck disable=SC2317  # the functions are reached through check()
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

bash tools/bootstrap.sh || exit $?
export PATH="$PWD/.venv/bin:$PATH"
# No tool may fetch anything: what it needs is in the lock.
export ANSIBLE_HOME="$PWD/.ansible" ANSIBLE_CONFIG="$PWD/ansible/ansible.cfg" ANSIBLE_DEPRECATION_WARNINGS=False NO_COLOR=1
output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0

check() { # check NAME COMMAND...
    local name=$1 began=$SECONDS code=0
    shift
    "$@" >"$output" 2>&1 || code=$?
    if [[ $code == 0 ]]; then
        printf 'ok      %-14s %3d s\n' "$name" $((SECONDS - began))
    else
        printf 'FAILED  %-14s %3d s: %s\n' "$name" $((SECONDS - began)) "$*"
        sed 's/^/        /' "$output"
        failed=1
    fi
}

scripts() { # the shell scripts git knows, by suffix or by their first line
    git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
        [[ -f $file ]] || continue
        if [[ $file == *.sh ]] || { [[ $file != *.* || $file == .ci/* ]] && head -n1 "$file" | grep -qE '^#!.*\b(ba|da)?sh\b'; }; then
            printf '%s\0' "$file"
        fi
    done
}

shell_scripts() {
    if ! command -v shellcheck >/dev/null; then
        echo "shellcheck is not installed; fix: apt-get install shellcheck"
        return 1
    fi
    scripts | xargs -0 -r shellcheck --external-sources
}

ansible_lint() (
    cd ansible || exit # our own modules are found from here
    ansible-lint --offline --strict -q --config-file ../.ansible-lint --project-dir .
)

check "ruff format" ruff format --check --quiet --diff .
check "ruff lint" ruff check --quiet .
check mypy mypy
check import-linter lint-imports --no-cache
check yamllint yamllint --strict .
check ansible-lint ansible_lint
check shellcheck shell_scripts
check collection pytest -q -p no:cacheprovider tests/unit/test_every_test_file_is_collected.py
exit "$failed"
