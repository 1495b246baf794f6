# Everything that one does with camlab; `make help` lists it. Needs Go, gcc,
# make and Python 3. All that is installed goes into .venv.

SHELL       := /bin/bash -o pipefail
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-print-directory

CAMLAB      := .venv/bin/camlab
CLEAN       := .venv/share/camlab/kernel-bin/goenv
GO          := $(CLEAN) go
LINTER      := .venv/bin/golangci-lint
LINTER_PKG  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NOTEBOOKS   := $(wildcard notebooks/*.ipynb)
GO_FILES     = $(shell find . -name '*.go' -not -path './.venv/*' -not -path './out/*')

.PHONY: help demo test setup setup-gonb format vet lint unit test-alone test-notebooks test-slurm test-cuda notebooks lab train train-best leaderboard data doctor bench bench-cell image test-image binder release lint-deploy fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## set everything up and run the article's notebook in quick mode into out/
	$(CAMLAB) notebook notebooks/01_article.ipynb --quick --html --png --out out

test: setup format vet lint unit test-notebooks ## all checks and tests; what CI runs

# Every go command is started by kernels/goenv, which sees to it that no setting of
# the user's own stops it. It is built with none at all; without a home folder or a
# temporary one, with the caches beside it.
$(CLEAN): $(wildcard kernels/goenv/*.go internal/goenv/goenv.go internal/front/*.go)
	@mkdir -p .venv/cache/tmp
	@unset $${!GO*} $${!CGO_*}; export GOENV=off GOWORK=off CGO_ENABLED=0; \
	go build -buildvcs=false -o $@ ./kernels/goenv 2>.venv/cache/goenv.log || \
	GOCACHE=$(CURDIR)/.venv/cache/go-build GOPATH=$(CURDIR)/.venv/cache/go TMPDIR=$(CURDIR)/.venv/cache/tmp \
	go build -buildvcs=false -o $@ ./kernels/goenv

setup: $(CLEAN) ## make or update .venv: JupyterLab, XLA plugin, kernels
	@$(GO) run ./kernels/setup

setup-gonb: $(CLEAN) ## setup, and kernels that run each cell by GoNB, as a program of its own
	@$(GO) run ./kernels/setup -gonb

format: ## fail on Go code that gofmt would change
	diff -u <(echo -n) <(gofmt -d $(GO_FILES))

vet: $(CLEAN) ## go vet
	$(GO) vet ./...

lint: $(LINTER) ## golangci-lint, with the linters of .golangci.yml
	$(CLEAN) $(LINTER) run ./...

$(LINTER): | setup
	@echo "building golangci-lint (about a minute)"
	$(CLEAN) env GOBIN=$(CURDIR)/.venv/bin go install $(LINTER_PKG)

# Everything runs once without the race detector, and what starts goroutines a second
# time with it: the tests with Concurrent in their names, to which internal/racerun holds
# them. race_mu has go-xla lock its pools in a way that the detector can see. The pure-Go
# backend of compute v0.1.2 multiplies matrices by uintptrs, which checkptr, a part of
# -race, refuses: it is off for that package.
RACE := -race -tags race_mu -gcflags=github.com/gomlx/compute/internal/gobackend/...=-d=checkptr=0
CONCURRENT = $(sort $(dir $(shell grep -rl --include='*_test.go' --exclude-dir='.?*' --exclude-dir=out '^func Test.*Concurrent' .)))
unit: setup ## unit tests, and those of goroutines once more with the race detector
	$(GO) test -timeout 1h ./...
	$(GO) test $(RACE) -timeout 1h -run Concurrent $(CONCURRENT)

test-alone: $(CLEAN) ## test as in a bare clone of the last commit: no plugin, no .venv; fails on a skip that is not expected
	rm -rf out/alone && mkdir -p out && git clone -q . out/alone
	cd out/alone && env -u PJRT_PLUGIN_LIBRARY_PATH -u CAMLAB_DATA $(abspath $(CLEAN)) go test -timeout 1h -json ./... | $(abspath $(CLEAN)) go run ./internal/skips -expect internal/skips/alone.txt -exact

test-notebooks: setup-gonb ## run every notebook in quick mode, and the kernels: completion, faults, edits
	CAMLAB_TEST_NOTEBOOKS=1 $(GO) test -count=1 -timeout 3h -v -run Notebook ./notebooks ./kernels ./cmd/camlab

test-slurm: setup ## run camlab explain as a Slurm array of 8 on this machine, with a task killed and requeued; needs slurm-wlm and munge
	CAMLAB_TEST_SLURM=1 $(GO) test -count=1 -timeout 30m -v -run TestSlurmArray ./cmd/camlab

test-cuda: setup ## hold an NVIDIA GPU to the CPU: maps, 20 training steps; speed beside PyTorch's; says what it did not check. Fails without a GPU
	@GO="$(abspath $(CLEAN)) go" bench/cuda.sh

notebooks: setup ## run every notebook in full and keep the outputs, an hour or more where nothing is trained or fetched yet
	@$(CAMLAB) fetch efficientnet-lite0
	@set -e; for n in $(NOTEBOOKS); do \
		$(CAMLAB) notebook --in-place --png --out out $$n; \
		name=$$(basename $$n .ipynb); \
		if test -f out/$${name}_docs-picture.png; then cp out/$${name}_docs-picture.png docs/$$name.png; fi; \
	done

lab: setup ## open JupyterLab on the notebooks; LAB=--no-browser and the like are its options
	.venv/bin/jupyter lab --notebook-dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB)

train: setup ## train the article's network in full, half an hour or more, and make it the shipped one; goes on where it stopped
	$(CAMLAB) train --out runs/article
	cp runs/article/model.safetensors runs/article/log.json camlib/article/weights/

train-best: setup ## train the network of package best in full, an hour or so, and make it the shipped one; goes on where it stopped
	$(CAMLAB) train --recipe best --out runs/best
	$(CAMLAB) export --model runs/best --dtype float16 --safetensors camlib/best/weights/model.safetensors
	cp runs/best/log.json camlib/best/weights/

leaderboard: setup ## measure every method by every metric on the shipped models, twenty minutes or more each, and publish the tables
	$(CAMLAB) leaderboard --out out/leaderboard
	cp out/leaderboard/leaderboard.json camlib/board/
	cp out/leaderboard/leaderboard.md out/leaderboard/leaderboard.csv docs/
	$(CAMLAB) leaderboard --model best --images 500 --again 50 --mosaics 25 --out out/leaderboard-best
	cp out/leaderboard-best/leaderboard.md docs/leaderboard-best.md

data: setup ## download CIFAR-10 and check it
	$(CAMLAB) data --download

doctor: setup ## check everything that notebooks and training depend on
	@$(CAMLAB) doctor

PEERS := .venv-peers

bench: setup ## measure speed beside PyTorch, TensorFlow and JAX into bench/RESULTS.md; ONLY=training measures one part
	@test -x $(PEERS)/bin/python || { python3 -m venv $(PEERS) && $(PEERS)/bin/pip install -q -r bench/speed/requirements.txt; } || echo "the libraries to compare with cannot be installed; they are left out"
	$(GO) run ./bench/speed $(if $(ONLY),-only $(ONLY))

bench-cell: setup-gonb ## time cells beside GoNB and ipykernel; BEFORE=CHECKOUT compares with that one's kernel too
	$(GO) run ./bench/cell $(if $(BEFORE),-before $(BEFORE))

image: ## build the container image; TARGET=cuda, ENGINE=podman, IMAGE=NAME, BUILD_FLAGS=... as in docs/docker.md
	docker/build.sh

test-image: ## build the CPU image and try it as a user would, without network
	docker/test.sh

# Binder takes a Dockerfile of its own and builds its last stage; some builders
# build all the others too, so that the CUDA stages are left out.
BINDER := sed -e '/^\# ---- cuda:/,/^$$/d' -e '/^FROM runtime AS cuda/,/^$$/d' -e '1i \# Made from docker/Dockerfile by make binder.' docker/Dockerfile

binder: ## make .binder/Dockerfile from docker/Dockerfile
	$(BINDER) > .binder/Dockerfile

TOOLS := .venv-tools

$(TOOLS)/stamp: release/requirements.txt
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install -q -r $<
	@touch $@

release: $(TOOLS)/stamp $(CLEAN) ## make the archives, bills of materials and checksums of a release into out/release
	@rm -rf out/release
	$(GO) run ./release -python $(TOOLS)/bin/python

lint-deploy: $(TOOLS)/stamp ## check what deploys: Dockerfiles, shell scripts, compose, .binder, docker/k8s; and .github
	$(TOOLS)/bin/hadolint docker/Dockerfile .binder/Dockerfile
	$(TOOLS)/bin/shellcheck docker/*.sh docker/slurm/explain.sbatch bench/cuda.sh
	diff <($(BINDER)) .binder/Dockerfile
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml
	@for v in 1.32 1.37; do $(TOOLS)/bin/kubernetes-validate --strict -k $$v.0 docker/k8s/explain-job.yaml || exit 1; done
	@$(TOOLS)/bin/python -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' docker/k8s/zero-to-jupyterhub.yaml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

fmt: ## format the Go code
	gofmt -w $(GO_FILES)

clean: ## remove .venv and out (not runs, which holds trainings)
	@test ! -d .venv/cache || chmod -R u+w .venv/cache # a module cache is read-only
	rm -rf .venv .venv-peers .venv-tools out
