# The two commands of a newcomer are `make run` and `make test`; both install what is missing.
# CMake and Ninja do the work: this file only names it.
.PHONY: help build run demo test unit tsan compat ops examples e2e crash fuzz sim bench bench-realtime bench-rest bench-lists lint setup clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      install what is missing, build, start the server with its demo page (PORT=3000)'
	@echo 'make test     install what is missing, build, run every test'
	@echo 'make build    build/carillon'
	@echo 'make unit | tsan | compat | ops | examples | e2e | crash | sim | fuzz     one suite of the tests'
	@echo 'make bench    measure against raw SQLite and against a Node + BullMQ service'
	@echo 'make bench-realtime   10,000 live sockets beside npm socket.io; Inboxes of ten million messages'
	@echo 'make bench-rest       a GET beside nginx and a file of the same size on one core; bulk of 500 subscribers'
	@echo 'make bench-lists      first pages and pages far behind, of 10,000 rows and of BENCH_ROWS (500,000)'
	@echo 'make lint     cppcheck and clang-format, without changing anything'
	@echo 'make setup    only install what is missing, for everything above'

setup:
	@scripts/setup.sh build run test

build:
	@scripts/setup.sh build
	@scripts/build.sh build

demo:
	@scripts/setup.sh build run
	@scripts/demo.sh

run:
	@scripts/setup.sh build run
	@scripts/run.sh

test:
	@scripts/setup.sh build test
	@scripts/test.sh

unit tsan compat ops examples e2e crash sim:
	@scripts/setup.sh build test
	@scripts/test.sh $@

# Random templates through ours and npm liquidjs with Novu's filters; LIQUID_SECONDS=3600 for an hour.
fuzz-liquid:
	@scripts/build.sh build liquid_driver
	@npm install --silent --no-audit --no-fund --prefix build/liquidjs liquidjs@10.30.1 @novu/framework@2.13.2 zod@4.6.7
	@node tests/fuzz/liquid_differential.mjs --driver build/liquid_driver --modules build/liquidjs --seconds $${LIQUID_SECONDS:-60}
fuzz:
	@scripts/setup.sh build fuzz
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} scripts/test.sh fuzz

bench:
	@scripts/setup.sh build bench
	@bench/run.sh

bench-realtime:
	@scripts/setup.sh build bench
	@bench/realtime/run.sh

bench-rest:
	@scripts/setup.sh build rest
	@bench/http/run.sh $${ROUNDS:-5}

bench-lists:
	@scripts/setup.sh build bench
	@bench/lists.sh

lint:
	@scripts/setup.sh build lint
	@scripts/lint.sh

clean:
	rm -rf build build-* demo/dist
