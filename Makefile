# Each target is one line calling a real command; nothing here holds logic.
.PHONY: deps up down test verify bench bench-detection check

deps:    ; bash tools/bootstrap.sh
up:      ; bash tools/bootstrap.sh && .venv/bin/curtilage doctor --fix && .venv/bin/curtilage up lab
down:    ; bash tools/bootstrap.sh && .venv/bin/curtilage down lab
verify:  ; bash tools/bootstrap.sh && .venv/bin/curtilage verify lab
test:    ; bash tools/test.sh
bench:   ; bash tools/bootstrap.sh && .venv/bin/python tools/bench.py
bench-detection: ; bash tools/bootstrap.sh && .venv/bin/python tools/bench_detection.py
check:   ; bash tools/check.sh
