# The commands of the project. README.md says which to run first.

GO      ?= go
SCALE   ?= 1
export TANGKAL_SCALE = $(SCALE)
TEMPL   := $(GO) run github.com/a-h/templ/cmd/templ@v0.3.977
GOFUMPT := $(GO) run mvdan.cc/gofumpt@v0.12.0
LINT    := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector costs five times the time and more: it watches what many
# goroutines share, and leaves the formats, which are pure functions, alone. So it
# does with cage, db and flagger, which would cost a minute each, and more.
RACE    := ./internal/admit/... ./internal/auth/... ./internal/casework/... ./internal/feed/... ./internal/job/... ./internal/mail/... \
           ./internal/notice/... ./internal/outbox/... ./internal/report/... ./internal/trace/... ./internal/vault/...
PLAIN   = $(filter-out $(shell $(GO) list $(RACE)),$(shell $(GO) list ./...))

.PHONY: run build test check drill bench bench-100m generate assets fmt lint current screens

run: ## start the demo
	$(GO) run ./cmd/tangkal demo

build: ## the one binary, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/tangkal ./cmd/tangkal

test: ## every test, at SCALE percent of the long walks
	@scripts/deps
	@TMPDIR=$$(scripts/tmp) scripts/summary $(GO) test -shuffle=on -timeout 30m $(PLAIN)
	@TMPDIR=$$(scripts/tmp) scripts/summary $(GO) test -run '^TestDrill' -timeout 30m $(RACE)
	@TMPDIR=$$(scripts/tmp) scripts/summary $(GO) test -race -skip '^TestDrill' -shuffle=on -timeout 40m $(RACE)

check: fmt-check generated lint test ## what CI runs

drill: export TANGKAL_SCALE = 100
drill: ## the long reliability drills, whole; its figures are the ones to quote
	@scripts/deps
	TMPDIR=$$(scripts/tmp) $(GO) test -count=1 -timeout 3h -v -run 'Drill|RandomWalks' ./...

bench: ## the benchmarks that docs/performance.md quotes
	$(GO) test -run '^$$' -bench . -benchmem -timeout 2h ./...
	TANGKAL_BENCH_ENTRIES=10000000 $(GO) test -run '^$$' -bench 'Ratio|Change|Large' -timeout 1h ./hamming
	TANGKAL_SCALE=100 $(GO) test -run '^$$' -bench Directory -benchtime 1x ./cmd/tangkal

bench-100m: ## 100 million hashes: 10 GB of memory, 9 GB of disk in TMPDIR
	TANGKAL_BENCH_ENTRIES=100000000 $(GO) test -run '^$$' -bench '^BenchmarkLarge$$' -benchtime 1x -timeout 1h ./hamming

generate: ## templates to Go
	$(TEMPL) generate -path internal/web

assets: ## stylesheet, scripts, icons and fonts (needs Node.js)
	cd internal/web/assets && npm install --no-save --no-audit --no-fund && npm run build

fmt: ## format the code
	$(GOFUMPT) -w $$(git ls-files '*.go' | grep -v _templ.go)

.PHONY: fmt-check generated
fmt-check:
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go' | grep -v _templ.go)); if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi
	@$(GO) mod tidy -diff

generated: ## committed templates and assets are those of their sources
	@scripts/generated

lint: ## named linters, and the picture of imports
	$(GO) vet ./...
	$(LINT) run

screens: ## a picture of every page, in docs/screens
	@scripts/deps
	TANGKAL_SCREENS=$(CURDIR)/docs/screens $(GO) test -count=1 -timeout 20m -run TestScreens ./internal/story
