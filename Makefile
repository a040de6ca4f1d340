# Two commands are enough: `make lab` opens the playground, `make test` runs all tests.
# On the first call each makes .venv and installs the pinned versions (constraints.txt); later calls start at once.
#
#   make PYTHON=python3.12 lab        another Python, for a new .venv
#   make test ARGS="-k decomposition" further arguments for the program that runs

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

# What each stamp stands for. The dev tools need `lab` too: mypy reads the types of what we import.
EXTRAS_lab := lab
EXTRAS_test := lab,test
EXTRAS_dev := lab,dev

# Many hubs still run ipykernel 6: a browser test starts such a kernel, from a folder that it puts before ours.
OLD_KERNEL := 6.31.0

.PHONY: help lab test bench soak figures lint format clean
.DELETE_ON_ERROR:

help:
	@echo "make lab      open the playground in JupyterLab"
	@echo "make test     run all tests             (make test ARGS=\"-k foo\")"
	@echo "make bench    measure layers, pruning, depth, ensembles, heads and the playground"
	@echo "make soak     twenty minutes of a lively class: does anything grow?"
	@echo "make figures  draw the pictures of the story and of the papers into figures/"
	@echo "make lint     ruff and mypy             (make format: let ruff rewrite)"
	@echo "make clean    remove caches and builds  (.venv stays)"

lab: $(VENV)/lab.stamp
	$(BIN)/spectral-lab $(ARGS)

# One thread: the networks are small, so that threads cost more than they bring, and a sum over several threads may
# differ in its last bits from machine to machine.
test bench soak: export OMP_NUM_THREADS = 1

test: $(VENV)/test.stamp $(VENV)/ipykernel-$(OLD_KERNEL).stamp
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/convolutions.py
	$(BIN)/python benchmarks/pruning.py
	$(BIN)/python benchmarks/depth.py
	$(BIN)/python benchmarks/ensembles.py
	$(BIN)/python benchmarks/heads.py
	$(BIN)/python benchmarks/playground.py $(ARGS)

soak: $(VENV)/test.stamp
	$(BIN)/python benchmarks/soak.py $(ARGS)

figures: $(VENV)/test.stamp
	$(BIN)/spectral-lab demo --out figures $(ARGS)
	$(BIN)/python benchmarks/screenshot.py
	$(BIN)/python -m spectral_lab.reproduce run structure

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} +

# A stamp is older than pyproject.toml or constraints.txt: install again.
$(VENV)/%.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS_$*)]'
	@touch $@

$(VENV)/ipykernel-$(OLD_KERNEL).stamp: $(VENV)/created.stamp
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --upgrade --target $(VENV)/ipykernel6 \
	    ipykernel==$(OLD_KERNEL) nest-asyncio==1.6.0
	@touch $@

GOAL := $(or $(firstword $(MAKECMDGOALS)),lab)

$(VENV)/created.stamp:
	@"$(PYTHON)" -c "" 2>/dev/null || { \
	    echo "error: found no Python to run as '$(PYTHON)'; wanted: Python >= 3.11;" \
	         "cure: install one, then: make PYTHON=python3.12 $(GOAL)" >&2; exit 1; }
	@"$(PYTHON)" -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	    echo "error: found $$("$(PYTHON)" --version 2>&1) as '$(PYTHON)'; wanted: Python >= 3.11;" \
	         "cure: make PYTHON=python3.12 $(GOAL)" >&2; exit 1; }
	@"$(PYTHON)" -c "import ensurepip, venv" 2>/dev/null || { \
	    echo "error: found $$("$(PYTHON)" --version 2>&1) without venv; wanted: its modules venv and ensurepip;" \
	         "cure: sudo apt install python3-venv (Debian, Ubuntu), or another Python:" \
	         "make PYTHON=python3.12 $(GOAL)" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@
