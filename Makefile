# Two commands are all there is to know:
#   make book    environment, every notebook through papermill, the book in _build/html, the gate
#   make test    environment, lint, unit tests, reference notebooks, the gate if a book is built
# Others: make notebooks | reference | lint | screenshots | clean.  Use -j to choose how many notebooks run at once.

PYTHON ?= python3
# Papermill parameters for every notebook that declares them, as one YAML mapping: make book PARAMS='{profile: laptop}'
PARAMS ?= {}
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ifeq ($(findstring -j,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(JOBS)
endif

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.snncore-installed

NOTEBOOKS := $(wildcard notebooks/*.ipynb)
EXECUTED := $(NOTEBOOKS:notebooks/%=executed/%)
BOOK_SOURCES := _config.yml $(wildcard results/verifications.jsonl book/*.* book/api/* book/_static/* book/_ext/*.py tools/*.py)
CHECKED := _build/html/.checked

# glibc: keep big freed blocks instead of returning them to the kernel after every training step (page faults cost 2x).
# One thread per notebook: they run side by side, and a run's numbers must not depend on how many do.
RUN := env MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 PYTHONHASHSEED=0 OMP_NUM_THREADS=1
# A fixed date for what notebooks draw. Not for the book: it would set the copyright year.
RUN_NOTEBOOK := $(RUN) SOURCE_DATE_EPOCH=1577836800

.PHONY: book notebooks test lint reference screenshots clean FORCE
.DELETE_ON_ERROR:

book: $(CHECKED)
	@echo "The book is at _build/html/index.html"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "The locked environment needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --requirement requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

notebooks: $(EXECUTED)

# The hash of everything a notebook reads besides itself. Rewritten only when it changes, so nothing re-runs for nothing.
executed/.inputs: FORCE | $(READY)
	@$(PY) -m tools.execute --inputs $@ --params '$(PARAMS)'

executed/%.ipynb: notebooks/%.ipynb executed/.inputs | $(READY)
	$(RUN_NOTEBOOK) $(PY) -m tools.execute $< $@ --params '$(PARAMS)'

# --all: without it, pages would keep stale glued numbers.
$(CHECKED): $(EXECUTED) executed/.inputs $(BOOK_SOURCES) | $(READY)
	rm -rf _build/html
	$(PY) -m tools.generate
	$(VENV)/bin/jupyter-book build . --config _config.yml --toc book/_toc.yml --all -W -n --keep-going --quiet
	$(PY) -m tools.check_book
	@touch $@

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/mypy

test: lint
	$(RUN) $(VENV)/bin/pytest --numprocesses auto --maxprocesses 8 tests
	$(RUN_NOTEBOOK) $(PY) -m tools.reference --check
	@if [ -e $(CHECKED) ]; then $(PY) -m tools.check_book; else echo "No book is built: the gate on its pages did not run (make book)."; fi

# Executes every notebook with its defaults and keeps the outputs that `make test` compares.
reference: $(READY)
	$(RUN_NOTEBOOK) $(PY) -m tools.reference --write

screenshots: $(CHECKED)
	$(PY) -m tools.screenshots

clean:
	rm -rf _build executed book/_generated
