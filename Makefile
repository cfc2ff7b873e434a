# Two commands: `make study` runs the main job, `make test` checks everything.
# Both prepare .venv from requirements.lock first; a second time that costs nothing.

PYTHON ?= python3
BIN    := .venv/bin
LOCKED := .venv/locked
READY  := .venv/ready
KERNEL := CMakeLists.txt $(wildcard src/sentilab/kernels/*.cc src/sentilab/kernels/*.h)

.PHONY: help setup study test lint types kernel-tests web-runtime bench bench-peers lock clean

help:
	@echo "make study   set up, then run the notebook's whole study and write its report"
	@echo "make test    set up, then run lint, types and all tests"
	@echo "make kernel-tests  only the kernels' own tests, under the sanitizers"
	@echo "make bench   measure speed beside Keras and torch; make bench-peers prepares those"
	@echo "make setup   only prepare .venv"
	@echo "make lock    renew requirements.lock from pyproject.toml"
	@echo "make clean   remove .venv and caches (never runs or data)"

setup: $(READY)

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sentilab needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=..."; exit 1; }
	@echo "== preparing .venv (once; a minute or two)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@touch $(LOCKED)

$(READY): $(LOCKED) pyproject.toml $(KERNEL)
	@echo "== building the kernel and installing Sentilab (under a minute)"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation \
		--config-settings=cmake.define.SENTILAB_WERROR=ON --editable .
	@if [ -f build/editable/without-kernel.txt ]; \
		then echo "== WITHOUT the compiled kernel: $$(cat build/editable/without-kernel.txt)"; \
		else touch $(READY); fi

study: $(READY)
	$(BIN)/sentilab study homework --on-missing-data generated $(ARGS)

test: $(READY) lint types kernel-tests web-runtime
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

# What a page that computes in the browser needs; without it those tests are skipped, and say so.
web-runtime: $(READY)
	-$(BIN)/python -m sentilab.bundle.web_runtime

# The address and undefined-behaviour sanitizers, then the thread sanitizer.
kernel-tests: $(READY)
	@if [ -f build/editable/without-kernel.txt ]; then \
		echo "== the kernels' own tests are left out: $$(cat build/editable/without-kernel.txt)"; \
	else for way in asan tsan; do \
		echo "== the kernels' own tests, $$way" && \
		$(BIN)/cmake --preset $$way -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja --log-level=WARNING \
			>/dev/null && \
		$(BIN)/cmake --build --preset $$way -- --quiet && \
		build/$$way/tests/kernels/native/others_test && \
		build/$$way/tests/kernels/native/lstm_test || exit 1; \
	done; fi

bench: $(READY)
	$(BIN)/python -m benchmarks.lstm $(ARGS)

bench-peers:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/peers.txt

lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev \
		--no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet pyproject.toml -o requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist
