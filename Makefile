# harambee's commands; `make help` lists them. Each sets up what it needs, once.
#
#   PYTHON         interpreter for the environments (3.11 or newer)
#   TORCH          what `pip install` gets for the tests; with a GPU, the line that PyTorch's
#                  install page gives for your machine, for example TORCH='torch==2.13.0'
#   ONCE=1         `make demo` ends after its last round instead of staying up
#   TOOL, PORT, LS_PORT, ARGILLA_PORT   labelling tool (argilla) and ports of the demo
#   ARGS           further arguments for pytest, for example ARGS='-k spans'
#   NAME           which benchmark to run
#   HARAMBEE_DATA  folder with research data sets; what needs it is skipped without it

PYTHON ?= $(shell python3.11 --version >/dev/null 2>&1 && echo python3.11 || echo python3)
TORCH ?= torch==2.13.0
HARAMBEE_DATA ?= ../shared/data

TEST_EXTRAS := dev,tagger,argilla,postgres,redis

BASE := .venv/.base-installed
DEV := .venv/.dev-installed
ARGILLA_CLIENT := .venv/.argilla-installed
LABEL_STUDIO := .venvs/label-studio/.installed
ARGILLA := .venvs/argilla/.installed
BENCHMARKS := $(filter-out benchmarks/harness.py benchmarks/transformer_parts.py,$(sort $(wildcard benchmarks/*.py)))

export PIP_DISABLE_PIP_VERSION_CHECK := 1

ifneq ($(wildcard $(HARAMBEE_DATA)/.),)
test bench: export HARAMBEE_DATA := $(abspath $(HARAMBEE_DATA))
else
unexport HARAMBEE_DATA
endif

# $(call quietly,COMMAND): its whole output appears if it fails, none of it otherwise.
quietly = log="$$(mktemp)"; if { $(1); } >"$$log" 2>&1; then rm -f "$$log"; \
	else status=$$?; cat "$$log" >&2; rm -f "$$log"; exit $$status; fi

# $(call new_venv,FOLDER): an empty environment; Debian ships Python without ensurepip.
define new_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "harambee needs Python 3.11 or newer, and $(PYTHON) is not;" \
			"name another one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@missing=""; $(PYTHON) -c 'import ensurepip' 2>/dev/null || missing=" $$($(PYTHON) -c \
		'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; $(install_missing)
	@echo "Creating $(1) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(1)
endef

# Installs the Debian packages in $missing, or says how to.
install_missing = if [ -n "$$missing" ]; then \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian packages:$$missing"; \
		export DEBIAN_FRONTEND=noninteractive; \
		$(call quietly,apt-get update && apt-get install --yes --no-install-recommends $$missing); \
	else \
		echo "Missing software. Install it with: sudo apt-get install$$missing" >&2; exit 1; \
	fi; fi

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: demo-$(or $(TOOL),label-studio) ## two rounds in a real tool; TOOL=argilla, ONCE=1 ends by itself

.PHONY: demo-label-studio
demo-label-studio: $(BASE) $(LABEL_STUDIO)
	@exec .venv/bin/harambee demo $(if $(ONCE),--once) \
		$(if $(PORT),--port $(PORT)) $(if $(LS_PORT),--label-studio-port $(LS_PORT))

.PHONY: demo-argilla
demo-argilla: $(ARGILLA_CLIENT) $(ARGILLA) redis
	@exec .venv/bin/harambee-argilla demo $(if $(ONCE),--once) \
		$(if $(PORT),--port $(PORT)) $(if $(ARGILLA_PORT),--argilla-port $(ARGILLA_PORT))

.PHONY: test
test: lint $(LABEL_STUDIO) $(ARGILLA) test-programs ## lint, then every test, against real servers and a real browser
	@exec .venv/bin/python -m pytest -q $(ARGS)

.PHONY: lint
lint: $(DEV) ## ruff and mypy --strict
	@$(call quietly,.venv/bin/ruff check)
	@$(call quietly,.venv/bin/ruff format --check)
	@$(call quietly,.venv/bin/mypy)
	@echo "ruff and mypy: no complaints"

.PHONY: bench
bench: $(DEV) $(LABEL_STUDIO) $(ARGILLA) test-programs ## measure; NAME=x runs one; the last line of each is a JSON object
	@for script in $(if $(NAME),benchmarks/$(subst -,_,$(NAME)).py,$(BENCHMARKS)); do \
		[ -f "$$script" ] || { echo "There is no $$script, only: $(BENCHMARKS)" >&2; exit 1; }; \
		echo "== $$script"; .venv/bin/python "$$script" || exit; \
	done

.PHONY: clean
clean: ## remove caches, builds and the demo's state; environments and data stay
	rm -rf .demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -path ./.venvs -prune -o -name __pycache__ -print0 | xargs -0 rm -rf

.venv/bin/python:
	$(call new_venv,.venv)

# The base install, as a user gets it: no torch, no developer's tools.
$(BASE): pyproject.toml | .venv/bin/python
	@echo "Installing harambee into .venv (about a minute the first time)"
	@$(call quietly,.venv/bin/python -m pip install -e .)
	@touch $@

# torch first and by itself, so that no other requirement picks a different build of it.
$(DEV): pyproject.toml $(BASE)
	@.venv/bin/python -c 'from importlib.metadata import version as v; \
		import sys; sys.exit(tuple(map(int, v("torch").split(".")[:2])) < (2, 13))' 2>/dev/null || { \
		echo "Installing $(TORCH) into .venv (about a minute)"; \
		$(call quietly,.venv/bin/python -m pip install $(TORCH)); }
	@echo "Installing what the tests need into .venv (about a minute)"
	@$(call quietly,.venv/bin/python -m pip install -e '.[$(TEST_EXTRAS)]')
	@touch $@

$(ARGILLA_CLIENT): pyproject.toml $(BASE)
	@echo "Installing what harambee needs for Argilla into .venv"
	@$(call quietly,.venv/bin/python -m pip install -e '.[argilla]')
	@touch $@

.venvs/label-studio/bin/python:
	$(call new_venv,.venvs/label-studio)

# Label Studio's requirements contradict ours, so it lives in an environment of its own; the
# constraints hold its version and that of everything below it.
$(LABEL_STUDIO): config/label-studio-constraints.txt | .venvs/label-studio/bin/python
	@echo "Installing Label Studio into .venvs/label-studio (about two minutes)"
	@$(call quietly,.venvs/label-studio/bin/python -m pip install label-studio -c $<)
	@touch $@

.venvs/argilla/bin/python: | .venv/bin/python
	$(call new_venv,.venvs/argilla)

# Argilla's server needs an older click than harambee's own requirements allow.
$(ARGILLA): config/argilla-constraints.txt | .venvs/argilla/bin/python
	@echo "Installing Argilla's server into .venvs/argilla (about two minutes)"
	@$(call quietly,.venvs/argilla/bin/python -m pip install argilla-server -c $<)
	@touch $@

# After .venv, because two apt-get would wait for each other.
.PHONY: test-programs
test-programs: | .venv/bin/python .venvs/label-studio/bin/python .venvs/argilla/bin/python
	@missing=""; PATH="$$PATH:$(lastword $(wildcard /usr/lib/postgresql/*/bin))"; \
	for need in chromium:chromium chromedriver:chromium-driver redis-server:redis-server initdb:postgresql; do \
		command -v "$${need%%:*}" >/dev/null || missing="$$missing $${need##*:}"; \
	done; $(install_missing)

.PHONY: redis
redis: | .venv/bin/python .venvs/argilla/bin/python
	@missing=""; command -v redis-server >/dev/null || missing=" redis-server"; $(install_missing)
