# Every target sets itself up in .venv; a second call finds the stamp files and starts at once.
PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
DATA ?= build/quickstart/data
MODEL ?= build/quickstart/model
# Where the CPU build of torch comes from, for instance TORCH_FLAGS="--index-url https://download.pytorch.org/whl/cpu".
TORCH_FLAGS ?=
PYTEST_FLAGS ?= -n 2 -q
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: install quickstart test browser-test lint bench docs peers fuzz audit clean
.DELETE_ON_ERROR:

install: $(VENV)/.core

$(VENV)/.core: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# torch first and alone: the pin decides the build, before another package can ask for a CUDA one.
	$(PIP) torch==2.13.0 -c constraints.txt $(TORCH_FLAGS)
	$(PIP) -e '.[report]' -c constraints.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) -e '.[report,parquet,serve,dev]' -c constraints.txt
	@touch $@

quickstart: $(VENV)/.core
	PATH="$(CURDIR)/$(BIN):$$PATH" DATA="$(DATA)" MODEL="$(MODEL)" bash experiments/quickstart.sh

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

# The web page in a real Chromium, which must be there: make browser-test CHROMIUM=/usr/bin/chromium
browser-test: $(VENV)/.dev
	@test -n "$(CHROMIUM)" || { echo "no chromium on the path: install it, or give CHROMIUM=/path/to/it"; exit 1; }
	$(PIP) -e '.[browser]' -c constraints.txt
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -q tests/serve/browser_page.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.core
	$(BIN)/python experiments/bench.py

docs: $(VENV)/.dev
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

peers: $(VENV)/.core
	$(BIN)/python experiments/peers/run.py

# Hours of what the suite does for seconds: make fuzz FUZZ_FLAGS="--count 20000 --seed 1"
FUZZ_FLAGS ?= --count 2000
fuzz: $(VENV)/.dev
	$(BIN)/python experiments/fuzz_folders.py $(FUZZ_FLAGS)
	$(BIN)/python experiments/fuzz_text.py --seconds 60

# Known vulnerabilities of all that is pinned. It asks PyPI; what it cannot ask about is a failure, not a pass.
audit:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && build/audit/bin/pip install --quiet pip-audit; }
	build/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
