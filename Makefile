# The developer's table of contents; `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CORE_BUILD ?= build/core
SANITIZED ?= build/sanitized
AARCH64 ?= build/aarch64
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

SOURCES := pyproject.toml CMakeLists.txt $(shell find src core -type f \
	-not -name '*.pyc' -not -name '*.so' 2>/dev/null)

.DEFAULT_GOAL := help

help:  ## list what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp  ## set up everything, then compress and classify real photos
	$(BIN)/pocketlens demo --model training/models/tiny-imagenet-200.onnx --out demo-out

test: browser $(VENV)/test.stamp $(CORE_BUILD)/tests.stamp $(SANITIZED)/tests.stamp  ## set up everything, then run all tests
	$(BIN)/ctest --test-dir $(CORE_BUILD) --output-on-failure
	$(BIN)/ctest --test-dir $(SANITIZED) --output-on-failure
	$(BIN)/python tools/test_aarch64.py $(AARCH64)
	POCKETLENS_NEON_CORE=$(AARCH64)/neon_core $(BIN)/python -m pytest

browser:  ## a Chromium for the page's tests: the one that is there, or Debian's where we may install it
	@for name in chromium chromium-browser google-chrome; do \
	  if command -v $$name; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get install -qq -y --no-install-recommends chromium || \
	  { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } || \
	  echo "Chromium cannot be installed: the page's tests will be skipped."; \
	else echo "There is no Chromium: the page's tests will be skipped."; fi

fuzz: $(VENV)/test.stamp $(SANITIZED)/tests.stamp  ## five million changed plans under the sanitizers (10 minutes of a core)
	$(BIN)/python tests/dump_plans.py $(SANITIZED)/plans
	$(SANITIZED)/plan_fuzz --cases 3000000
	$(SANITIZED)/plan_fuzz --cases 2000000 $(SANITIZED)/plans

check: $(VENV)/lint.stamp $(VENV)/demo.stamp  ## lint, types, layers, formats, docs that are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_includes.py core/src
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'core/*.h' 'core/*.cc')
	$(BIN)/python tools/paste.py --check
	$(BIN)/python tools/draw_picture.py --check
	$(BIN)/python tools/draw_compression.py --check

format: $(VENV)/lint.stamp  ## put every file into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $$(git ls-files 'core/*.h' 'core/*.cc')

docs: $(VENV)/demo.stamp  ## paste generated parts into the docs
	$(BIN)/python tools/paste.py
	$(BIN)/python tools/draw_picture.py
	$(BIN)/python tools/draw_compression.py

bench: $(VENV)/bench.stamp  ## run the benchmarks (needs POCKETLENS_DATA)
	$(BIN)/python benchmarks/accuracy.py --bits 32 --bits 16 --bits 8 --bits 6 --bits 4
	$(BIN)/python benchmarks/crops.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/planes.py
	$(BIN)/python benchmarks/palettes.py
	$(BIN)/python benchmarks/cold.py
	$(BIN)/python benchmarks/klaus.py
	$(BIN)/python benchmarks/klaus_ten.py
	$(BIN)/python benchmarks/precision.py
	$(BIN)/python benchmarks/full_connect.py

bench-compression: $(VENV)/bench.stamp  ## bytes and accuracy beside peers (needs POCKETLENS_DATA)
	$(BIN)/python benchmarks/compression.py

bench-wasm: $(VENV)/bench.stamp  ## the WebAssembly core beside onnxruntime-web (needs POCKETLENS_DATA, Node, npm)
	$(BIN)/python benchmarks/wasm_latency.py

bench-browser: browser $(VENV)/bench.stamp  ## the page in Chromium beside other engines (needs POCKETLENS_DATA, Node, npm)
	$(BIN)/python benchmarks/browser.py

wheel: $(VENV)/pip.stamp  ## build the wheel into dist/
	$(BIN)/pip wheel -q --no-deps -w dist .

clean:  ## remove what was built
	rm -rf build dist demo-out $(VENV)

$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	@touch $@

$(VENV)/demo.stamp: $(VENV)/pip.stamp $(SOURCES)
	$(BIN)/pip install -q '.[demo]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(BIN)/pip install -q 'cmake>=3.20' ninja '.[test]'
	@touch $@

$(VENV)/lint.stamp: $(VENV)/pip.stamp pyproject.toml
	$(BIN)/pip install -q 'ruff>=0.8' 'mypy>=1.13' 'import-linter>=2.1' 'clang-format>=19'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/demo.stamp
	$(BIN)/pip install -q '.[bench]'
	@touch $@

$(SANITIZED)/tests.stamp: SANITIZE := -DPOCKETLENS_SANITIZE=ON
$(CORE_BUILD)/tests.stamp $(SANITIZED)/tests.stamp: $(VENV)/test.stamp $(SOURCES)
	$(BIN)/cmake -S . -B $(@D) -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja \
		-DPOCKETLENS_PYTHON=OFF -DPOCKETLENS_TESTS=ON $(SANITIZE) >/dev/null
	$(BIN)/cmake --build $(@D) -j $(JOBS)
	@touch $@

.PHONY: help demo test browser fuzz check format docs bench bench-compression bench-wasm bench-browser wheel clean
