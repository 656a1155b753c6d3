# Two commands do everything: `make run` and `make test`.

VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(CURDIR)/.data
# Debian's own, which is installed below and what the package will run on; another one
# that is found first may be built without optimisation, and is then a fifth slower.
PYTHON ?= /usr/bin/python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test check unit integration bench soak format clean

run: $(VENV)/installed
	$(if $(CONFIG),,REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=$(DATA)) \
		$(BIN)/twistd --nodaemon --pidfile= registry $(if $(CONFIG),-c $(CONFIG))

test: $(VENV)/peers check integration coverage

# The quick half: format, lint, types, rooms, unit tests.
check: $(VENV)/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) unit

unit: $(VENV)/tools
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m twisted.trial --temp-directory=_trial_temp/unit tests

integration: $(VENV)/tools
	TXREGISTRY_INTEGRATION=1 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/integration tests.integration

.PHONY: coverage
coverage: $(VENV)/tools
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

bench: $(VENV)/peers $(VENV)/tools
	$(BIN)/python bench/cache.py
	$(BIN)/python bench/push.py
	$(BIN)/python bench/names.py

# A thousand times killed; half an hour.
soak: $(VENV)/peers $(VENV)/tools
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_KILLS=1000 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/soak tests.integration.test_kills

format: $(VENV)/tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) _trial_temp .mypy_cache .ruff_cache .coverage .coverage.* build *.egg-info

$(VENV)/installed: setup.py Makefile scripts/system-packages
	scripts/system-packages python3 python3-venv ca-certificates
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip "setuptools<90" wheel
	$(BIN)/pip install -q --no-build-isolation --config-settings editable_mode=compat -e .
	touch $@

$(VENV)/tools: $(VENV)/installed
	$(BIN)/pip install -q --no-build-isolation --config-settings editable_mode=compat -e '.[test,lint,release]'
	touch $@

$(VENV)/peers: $(VENV)/installed scripts/system-packages
	scripts/system-packages docker-registry skopeo podman runc buildah containerd \
		docker.io redis-server busybox-static procps curl
	touch $@
