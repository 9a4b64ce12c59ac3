# make repro   check everything and redraw the figures, quick settings (about three minutes)
# make test    run the tests
# make full    the settings of the published figures
# Each builds .venv first when it is missing or older than what it is built from.

PYTHON ?= python3
BIN := .venv/bin
BUILT := .venv/built

.PHONY: repro full test slow docs lint types bench clean

repro: $(BUILT)
	$(BIN)/python paper_repro.py --quick

full: $(BUILT)
	$(BIN)/python paper_repro.py --full

# Small products are slowed by threads that wait for each other.
test slow: export OPENBLAS_NUM_THREADS := 1

test: $(BUILT)
	$(BIN)/python -m pytest -q -n auto --dist loadfile

slow: $(BUILT)
	$(BIN)/python -m pytest -q -m slow

# The documentation's tables, gallery and pictures, from finished runs: make docs FROM="full out"
FROM ?= out
docs: $(BUILT)
	$(BIN)/python -m figures docs $(FROM)

lint: $(BUILT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BUILT)
	$(BIN)/mypy

bench: $(BUILT)
	$(BIN)/python -m pip install -q -c constraints.txt ".[bench]"
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv out build

$(BUILT): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "No Python was found under the name $(PYTHON). Name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; $(PYTHON) is Python " + sys.version.split()[0] + ". Name another: make PYTHON=/path/to/python3.11")'
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python has no venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	rm -rf .venv
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ".[test]"
	@touch $(BUILT)
