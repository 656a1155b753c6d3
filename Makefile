# Two commands do everything: `make run` and `make test`.

VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(CURDIR)/.data
# Debian's own, which is installed below and what the package will run on; another one
# that is found first may be built without optimisation, and is then a fifth slower.
PYTHON ?= /usr/bin/python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start hundreds of daemons, which should not compile all modules each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check lint unit integration coverage bench bench-s3 soak long versions docs format clean \
	pictures deb deb-test adopt-test swift-test cephfs-test drill image image-test

run: $(VENV)/installed
	$(if $(CONFIG),,REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=$(DATA)) \
		$(BIN)/twistd --nodaemon --pidfile= registry $(if $(CONFIG),-c $(CONFIG))

# All at once; the number of tests comes last.
test: $(VENV)/tools $(VENV)/peers lint
	rm -f .coverage .coverage.*
	$(BIN)/python -m tests.run types integration unit
	$(MAKE) --no-print-directory coverage
	@cat _trial_temp/total

# The quick half: format, lint, types, rooms, unit tests.
check: lint
	rm -f .coverage .coverage.*
	$(BIN)/python -m tests.run types unit

lint: $(VENV)/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

unit: $(VENV)/tools
	rm -f .coverage .coverage.*
	$(BIN)/python -m tests.run unit

integration: $(VENV)/tools
	$(BIN)/python -m tests.run integration

coverage: $(VENV)/tools
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

bench: $(VENV)/peers $(VENV)/tools
	$(BIN)/python bench/cache.py
	$(BIN)/python bench/push.py
	$(BIN)/python bench/names.py
	$(BIN)/python bench/processes.py
	$(BIN)/python bench/ledger.py 100000
	$(BIN)/python bench/small.py
	$(BIN)/python bench/console.py 2000
	PYTHONPATH=$(CURDIR) $(BIN)/python bench/tls.py

# On an object store, a minute or two: Ceph and redis are installed, with all peers.
bench-s3: $(VENV)/peers $(VENV)/tools
	PYTHONPATH=$(CURDIR) $(BIN)/python bench/s3.py

# Pictures of the admin pages, for docs/pictures; a minute.
pictures: $(VENV)/peers $(VENV)/tools
	mkdir -p docs/pictures
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_PICTURES=$(CURDIR)/docs/pictures \
		$(BIN)/python -m twisted.trial --temp-directory=_trial_temp/pictures \
		tests.integration.test_console.ConsoleTests.test_pictures

# A thousand times killed; half an hour.
soak: $(VENV)/peers $(VENV)/tools
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_KILLS=1000 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/soak tests.integration.test_kills

# What tries at random or in all combinations, ten times as much of it; ten minutes.
long: $(VENV)/peers $(VENV)/tools
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_TRIES=10 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/long tests.web.test_registry_model \
		tests.web.test_upload_model tests.storagedriver.filesystem.test_power \
		tests.integration.test_odd_upstreams

# The bucket driver, and daemons on it, on OpenStack Swift instead of Ceph; some minutes.
swift-test: $(VENV)/peers $(VENV)/tools
	scripts/system-packages swift-proxy swift-account swift-container swift-object \
		python3-swift memcached
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_SWIFT=1 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/swift tests.integration.test_swift

# A cache of 200 MiB, and clients that pull more than two gigabytes through it,
# on a disk that others fill: needs root, 4 GiB of memory and some minutes.
drill: $(VENV)/peers $(VENV)/tools
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_DRILL=5 TXREGISTRY_TRIES=2 $(BIN)/python -m twisted.trial \
		--temp-directory=_trial_temp/drill tests.integration.test_room

# Several processes on CephFS, each at a client of its own; mounted for the tests alone, which
# needs root and /dev/fuse.
cephfs-test: $(VENV)/peers $(VENV)/tools
	scripts/unpack-programs $(BIN) ceph-mds:usr/bin/ceph-mds ceph-fuse:usr/bin/ceph-fuse
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_CEPHFS=1 unshare --mount --propagation private \
		$(BIN)/python -m twisted.trial --temp-directory=_trial_temp/cephfs \
		tests.integration.test_cephfs

# Takes over from Debian's docker-registry and gives back, in a Debian of its own.
adopt-test: $(VENV)/tools
	scripts/system-packages debootstrap systemd-container openssl
	scripts/adopt-test

# The unit tests on the oldest and the newest releases that setup.py permits, and on each
# Python that is installed; less than all with TESTS="-m twisted.trial tests.flow".
versions:
	scripts/versions $(TESTS)

# What scripts/deb needs.
BUILD_PACKAGES := git build-essential debhelper python3 python3-pip python3-setuptools \
	python3-venv python3-wheel

# The container image, out of the Debian package; takes minutes, and needs root. ARCH, BASE
# and more are told in the script.
image:
	scripts/system-packages buildah mmdebstrap $(BUILD_PACKAGES)
	scripts/image $(NAME)

# Builds it, and runs it by podman as its users do.
image-test: $(VENV)/peers $(VENV)/tools image
	mkdir -p dist
	rm -f dist/image.tar
	buildah push -q "$$(scripts/image --name)" "docker-archive:dist/image.tar:localhost/txregistry"
	TXREGISTRY_INTEGRATION=1 TXREGISTRY_IMAGE=$(CURDIR)/dist/image.tar \
		$(BIN)/python -m twisted.trial --temp-directory=_trial_temp/image \
		tests.integration.test_image

# The Debian package, into dist/.
deb: scripts/system-packages
	scripts/system-packages $(BUILD_PACKAGES)
	scripts/deb

# Builds it, installs it where systemd runs, and tries what an administrator does.
RELEASE ?= bookworm trixie
deb-test: $(VENV)/tools scripts/system-packages
	scripts/system-packages debootstrap systemd-container iproute2 skopeo docker-registry \
		curl openssl
	set -e; for release in $(RELEASE); do scripts/deb-test $$release; done

# The page of all keys, from their declarations.
docs: $(VENV)/tools
	$(BIN)/python -m txregistry.cli.reference docs/configuration.md

format: $(VENV)/tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .versions .deb-test dist _trial_temp .mypy_cache .ruff_cache .coverage .coverage.* build *.egg-info

# Modules are compiled when they are first used, which most never are.
PIP := $(BIN)/pip install -q --no-compile
EDITABLE := --no-build-isolation --config-settings editable_mode=compat -e

$(VENV)/made: setup.py Makefile scripts/system-packages
	scripts/system-packages python3 python3-venv ca-certificates
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip "setuptools<90" wheel
	touch $@

$(VENV)/installed: $(VENV)/made
	$(PIP) $(EDITABLE) .
	touch $@

# All at once: each pip takes seconds to look at what is there.
$(VENV)/tools: $(VENV)/made
	$(PIP) $(EDITABLE) '.[test,lint,release]'
	touch $(VENV)/installed $@

# What has services that would start, or much that the tests do not need, is unpacked.
$(VENV)/peers: $(VENV)/made scripts/system-packages scripts/unpack-programs
	scripts/system-packages docker-registry skopeo podman runc buildah containerd \
		docker.io redis-server busybox-static procps curl systemd man-db mandoc rsync \
		iproute2 openssl apache2-utils chromium \
		ceph-mon ceph-osd radosgw ceph-common
	scripts/unpack-programs $(BIN) nginx:usr/sbin/nginx caddy:usr/bin/caddy \
		prometheus:usr/bin/promtool
	touch $@
