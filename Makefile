# Everything here works in a fresh clone with nothing but make and Python 3.11 or later; what a target needs
# beyond that is fetched or built into the cache (TOLLHOUSE_CACHE, default ~/.cache/tollhouse), or named in words.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# Asked for once per recipe, and only by recipes that use it.
ENVIRONMENT = environment=$$(./.ci/environment) && PATH="$$environment/bin:$$PATH" && export PATH
PYTEST = python -m pytest

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## Run the quickstart without a cluster; TOUR=1, or no terminal: play the tour and end
	@$(ENVIRONMENT) && tollhouse demo $(if $(TOUR),--tour)

.PHONY: test
test: lint types contracts tests ## Lint, types, contracts, unit tests, tests against real servers and a control plane

.PHONY: lint
lint: ## Lint, and check the format
	@$(ENVIRONMENT) && ruff check . && ruff format --check .

.PHONY: format
format: ## Put the format right
	@$(ENVIRONMENT) && ruff check --fix . && ruff format .

.PHONY: types
types: ## Check types
	@$(ENVIRONMENT) && mypy && mypy -p kit -p suites

.PHONY: contracts
contracts: ## Check who may import whom, and that the CRDs are those of the API types
	@$(ENVIRONMENT) && lint-imports && python crds/generate.py --check

.PHONY: tests
tests: ## Run the tests; ARGS="tests/core -k masks" for some of them
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare && $(PYTEST) $(ARGS)

.PHONY: keycloak
keycloak: ## Identity against a real Keycloak: two realms, device flow, SAML (fetches 160 MB once; needs Java 17 and Maven)
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare --keycloak && $(PYTEST) tests/real/keycloak -m keycloak $(ARGS)

.PHONY: e2e
e2e: ## Journeys on a cluster: KUBECONFIG's if set, else a node of our own (root)
	@$(ENVIRONMENT) && { [ -n "$$KUBECONFIG" ] || PYTHONPATH=tests python -m kit.prepare --node; } && \
	  $(PYTEST) e2e --timeout 1800 $(ARGS)

.PHONY: bench
bench: ## Measure; prints a table and writes benchmarks/latest.json
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare && python -m benchmarks $(ARGS)

.PHONY: suites
suites: ## Run others' test suites directly and through the proxy (docs/suites.md); ARGS="regress15" for some
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m suites $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz the data path: MINUTES=10 for each target, TARGETS="wire content" for some of them
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare && \
	  PYTHONPATH=tests python -m fuzz --minutes $(or $(MINUTES),1) $(ARGS) $(TARGETS)

.PHONY: mutants
mutants: ## Break the code on purpose and count what tests notice: SAMPLE=100 of each area, AREAS="policy wire" for some
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare && python -m mutants --sample $(or $(SAMPLE),100) $(AREAS)

.PHONY: soak
soak: ## Mixed load by many sessions: MINUTES=10 SESSIONS=1000 RATE=250 statements a second; fails on any error or growth
	@$(ENVIRONMENT) && PYTHONPATH=tests python -m kit.prepare && python -m benchmarks.soak \
	  --minutes $(or $(MINUTES),10) --sessions $(or $(SESSIONS),1000) --rate $(or $(RATE),250) $(ARGS)

.PHONY: crds
crds: ## Generate crds/ and the API reference from the API types
	@$(ENVIRONMENT) && python crds/generate.py

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements.lock
	@$(ENVIRONMENT) && python -m pip install -q --disable-pip-version-check uv && \
	  uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
