# Each target is one line calling a real command; nothing here holds logic.
.PHONY: deps up down up-k8s down-k8s test verify bench bench-detection check

# Bytecode is kept, whatever the environment says: without it each process (a gateway, a Pulumi program, a command) compiles all it imports.
unexport PYTHONDONTWRITEBYTECODE

deps:    ; bash tools/bootstrap.sh
up:      ; bash tools/bootstrap.sh && .venv/bin/curtilage doctor --fix && .venv/bin/curtilage up lab
down:    ; bash tools/bootstrap.sh && .venv/bin/curtilage down lab
up-k8s:  ; bash tools/bootstrap.sh && { .venv/bin/curtilage doctor --kubernetes --fix || true; } && .venv/bin/python -m lab.kubernetes up
down-k8s: ; bash tools/bootstrap.sh && .venv/bin/curtilage lab stop --kubernetes
verify:  ; bash tools/bootstrap.sh && .venv/bin/curtilage verify lab
test:    ; bash tools/test.sh
bench:   ; bash tools/bootstrap.sh && .venv/bin/python tools/bench.py
bench-detection: ; bash tools/bootstrap.sh && .venv/bin/python tools/bench_detection.py
check:   ; bash tools/check.sh
