# Needs python3 (3.11 or newer) and, for the native kernels, a C compiler. Everything else goes into
# the virtual environment .venv beside this file; a second call finds it and is quick.
#
# Another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
OUT ?= out
PYTEST_FLAGS ?= -n auto --maxprocesses 4

VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check
PACKAGING := pyproject.toml setup.py build.py $(wildcard csrc/*)
C_FILES := $(wildcard csrc/*.c csrc/*.h csrc/*.inc tests/c/*.c tests/c/*.h tests/c/*.inc)

# Stamps hold the folder they were made in, since an editable install knows its folder by name.
READY := $(VENV)/ready-to-run
READY_TO_DEVELOP := $(VENV)/ready-to-develop
READY_TO_BENCH := $(VENV)/ready-to-bench
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
$(shell rm -f $(READY) $(READY_TO_DEVELOP) $(READY_TO_BENCH))
endif

.DELETE_ON_ERROR:
.PHONY: help demo demos atlas cnn gpt depth race test build lint format sanitize bench clean distclean

help:
	@echo 'make demo      set everything up, then write the report of the laboratory, one page, into $(OUT)/'
	@echo 'make demos     linear collapse and the comparison of optimizers in full, into $(OUT)/'
	@echo 'make race      optimizers race over a surface, with a moving picture, into $(OUT)/'
	@echo 'make atlas     draw all activations, with what is measured of them, into $(OUT)/'
	@echo 'make cnn       train a convolutional network on handwritten digits, into $(OUT)/'
	@echo 'make gpt       train a small GPT on text whose entropy is known, into $(OUT)/'
	@echo 'make depth     what activations do to deep networks (some three minutes), into $(OUT)/'
	@echo 'make test      set everything up, then run the tests'
	@echo 'make build     set everything up: .venv, the extension compiled, and what is needed to run'
	@echo 'make lint      ruff, mypy, clang-format and whether generated files are current'
	@echo 'make format    let ruff and clang-format rewrite what they can; generate stubs and reference pages'
	@echo 'make sanitize  the C kernels under address, undefined-behaviour and thread sanitizers'
	@echo 'make bench     measure against PyTorch, JAX and scikit-learn (large downloads)'
	@echo 'make clean     remove what was built; make distclean: .venv too'

demo: $(READY)
	$(RUN) -m microtensor.lab report --out '$(OUT)'

race: $(READY)
	$(RUN) demos/race.py --gif --out '$(OUT)'

demos: $(READY)
	$(RUN) demos/linear_collapse.py --out '$(OUT)'
	$(RUN) demos/compare_optimizers.py --out '$(OUT)'

atlas: $(READY)
	$(RUN) demos/activation_atlas.py --out '$(OUT)'

cnn: $(READY)
	$(RUN) demos/digits_cnn.py --out '$(OUT)'

gpt: $(READY)
	$(RUN) demos/char_gpt.py --out '$(OUT)'

depth: $(READY)
	$(RUN) demos/activation_depth.py --out '$(OUT)'

test: $(READY)
	@$(RUN) -c 'import microtensor; microtensor.show_config()'
	$(RUN) -m pytest $(PYTEST_FLAGS)

build: $(READY)

lint: $(READY_TO_DEVELOP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/clang-format --dry-run -Werror $(C_FILES)
	$(RUN) tools/generate.py --check

format: $(READY_TO_DEVELOP)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	$(VENV)/bin/clang-format -i $(C_FILES)
	$(RUN) tools/generate.py

sanitize:
	tests/c/run

bench: $(READY_TO_BENCH)
	$(RUN) benchmarks/step.py --output benchmarks/RESULTS.md
	$(RUN) benchmarks/layers.py --output benchmarks/RESULTS.md
	$(RUN) benchmarks/ops.py --output benchmarks/RESULTS.md
	$(RUN) benchmarks/activations.py --output benchmarks/RESULTS.md
	$(RUN) benchmarks/engine.py --output benchmarks/RESULTS.md
	$(RUN) benchmarks/optimizers.py --output benchmarks/RESULTS.md

clean:
	rm -rf build dist *.egg-info microtensor/_native* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f $(READY) $(READY_TO_DEVELOP) $(READY_TO_BENCH)
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "microtensor needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "'$(PYTHON)' cannot make a virtual environment. Its venv module may be a package of its own:" >&2; \
	    echo "on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }

# pip compiles the extension, but does not show what the compiler said: show_config() says which
# backend runs and why. `python build.py`, by hand, needs the setuptools that pip used.
$(READY): $(VENV)/pyvenv.cfg $(PACKAGING)
	@echo "installing microtensor and what its demonstrations and tests need into $(VENV) ..."
	@$(INSTALL) -e '.[lab,test]' 'setuptools>=77'
	@$(RUN) -c 'import microtensor; microtensor.show_config()'
	@printf '%s' '$(CURDIR)' > $@

# Only what an extra adds: installing '.[dev]' would compile the extension once more.
LIST_EXTRA := $(RUN) -c 'import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))\
["project"]["optional-dependencies"]; print(*extras[sys.argv[1]], sep="\n")'

$(READY_TO_DEVELOP): $(READY)
	@$(LIST_EXTRA) dev > $(VENV)/dev.txt
	@$(INSTALL) -r $(VENV)/dev.txt
	@touch $@

$(READY_TO_BENCH): $(READY)
	@$(LIST_EXTRA) bench > $(VENV)/bench.txt
	@$(INSTALL) -r $(VENV)/bench.txt
	@touch $@
