# The front door. CMake is the build definition; see README.md for what the targets do.
#
#   make                 build the extension into $(BUILD_DIR)/release
#   make install         install it for PG_CONFIG's server (honours DESTDIR)
#   make installcheck    regression tests against a running server that has it installed
#   make check           install what is missing (apt), build, and run every test; touches no system directory
#   make check STAGE=tap one stage of it: format, tidy, unit, sanitize, mutation, regress, isolation, tap ...
#   make demo            install what is missing, build, and show the main job on a throw-away server
#   make bench           the measurements
#   make lint            formatting and clang-tidy only;  make format  rewrites the sources
#   make clean

PG_CONFIG ?= pg_config
BUILD_DIR ?= build
STAGE ?=
TESTS ?=
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

export PG_CONFIG BUILD_DIR STAGE TESTS JOBS CMAKE_FLAGS
# make's own options (-j, -n) are no business of the builds and test programs below it.
unexport MAKEFLAGS MFLAGS

.PHONY: all install installcheck check demo bench lint format clean

all:
	script/build release

install: all
	DESTDIR='$(DESTDIR)' cmake --install '$(BUILD_DIR)/release'

installcheck:
	test/run-installcheck

check:
	script/install-dependencies build check
	test/run-check $(STAGE)

lint:
	script/install-dependencies build check
	test/run-check format tidy

format:
	find src test -name "*.[ch]pp" -print0 | xargs -0 clang-format -i

demo:
	script/demo

bench:
	script/install-dependencies build bench
	bench/run

clean:
	rm -rf '$(BUILD_DIR)'
