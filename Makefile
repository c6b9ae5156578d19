# uring: builds build/uring/core.so, and the tree works uninstalled from there.
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS, DESTDIR, PREFIX, LUA and PKG_CONFIG are the
# user's; what the project itself needs is in OWN_*.  BUILD is where a build
# goes and VARIANT what it adds to the flags: asan, check and the rock are this
# Makefile run again with another BUILD, and never mix with the tree's own.

LUA ?= lua5.4
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
INST_LIBDIR ?= $(PREFIX)/lib/lua/5.4
INST_LUADIR ?= $(PREFIX)/share/lua/5.4
BUILD = build
VARIANT =

# What to run: make test SPEC=spec/ring_spec.lua FILTER='in flight'
SPEC ?= spec
FILTER ?=
BENCH ?=

# The headers of Lua, and liburing.  LuaRocks says where they are; else
# pkg-config does; else they are where Debian has them.  LUA_LIBDIR is of no
# use here: a module takes Lua's symbols from the program that loads it, and
# would break on a liblua of its own.
ifdef LUA_INCDIR
LUA_CFLAGS := -I$(LUA_INCDIR)
else
LUA_CFLAGS := $(strip $(shell $(PKG_CONFIG) --cflags lua5.4 2>/dev/null || \
                              echo -I/usr/include/lua5.4))
endif

# A program that embeds Lua needs the library, too; modules do not.
LUA_LIBS = $(shell $(PKG_CONFIG) --libs lua5.4 2>/dev/null || echo -llua5.4)

ifdef LIBURING_DIR
LIBURING_INCDIR ?= $(LIBURING_DIR)/include
LIBURING_LIBDIR ?= $(LIBURING_DIR)/lib
endif
ifdef LIBURING_INCDIR
URING_CFLAGS := -I$(LIBURING_INCDIR)
else
URING_CFLAGS := $(strip $(shell $(PKG_CONFIG) --cflags liburing 2>/dev/null))
endif
ifdef LIBURING_LIBDIR
URING_LIBS := -L$(LIBURING_LIBDIR) -luring
else
URING_LIBS := $(strip $(shell $(PKG_CONFIG) --libs liburing 2>/dev/null || \
                              echo -luring))
endif

# As a system header: liburing's inline functions do not pass our warnings.
URING_CFLAGS := $(patsubst -I%,-isystem%,$(URING_CFLAGS))

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes \
           -Wstrict-prototypes
OWN_CPPFLAGS = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(LUA_CFLAGS) \
               $(URING_CFLAGS)
OWN_CFLAGS = -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -pthread $(WARNINGS)

COMPILE = $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(VARIANT) $(CFLAGS)
LINK = $(CC) -pthread $(VARIANT) $(CFLAGS) $(LDFLAGS)

CORE = $(BUILD)/uring/core.so
OBJECTS = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/*.c))
PROGRAMS = $(patsubst bench/c/%.c,$(BUILD)/bench/%,$(wildcard bench/c/*.c))
SUPPORT = $(patsubst spec/support/%.c,$(BUILD)/spec/%.so,\
            $(wildcard spec/support/*.c))
MODULES = $(shell cd lua && find uring -name '*.lua')
LUA_SOURCES = $(wildcard lua spec examples bench docs/data .ci/*.lua)

# The tree's own paths, for what runs uninstalled: $(call in_tree,build) COMMAND
LUA_PATH_HERE = $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
in_tree = LUA_PATH='$(LUA_PATH_HERE)' LUA_CPATH='$(CURDIR)/$1/?.so;;'
unexport LUA_PATH_5_4 LUA_CPATH_5_4 # they would outrank those two

BUSTED_RUN = $(LUA) .ci/busted.lua $(if $(FILTER),--filter='$(FILTER)')
BUSTED = $(BUSTED_RUN) $(SPEC)

# The share of its work that a soak spec does where everything is slow.
scale = URING_SPEC_SCALE="$${URING_SPEC_SCALE:-$1}"

DEPS = @LUA='$(LUA)' PKG_CONFIG='$(PKG_CONFIG)' .ci/deps
SUBMAKE = +@$(MAKE) --no-print-directory

.PHONY: all programs support deps demo test check lint symbols rock coverage \
        docs stale format asan valgrind rings gc oom matrix bench install \
        uninstall clean env help FORCE
.DELETE_ON_ERROR:

all: $(CORE) ## build build/uring/core.so (the default)
	@:

$(CORE): $(OBJECTS)
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $(OBJECTS) $(URING_LIBS)

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

# The C programs that the demo and the benchmarks run.
programs: $(PROGRAMS)
	@:

$(BUILD)/bench/%: bench/c/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(URING_LIBS)

# What the specs need of the system and Lua does not have: spec.process.
support: $(SUPPORT)
	@:

$(BUILD)/spec/%.so: spec/support/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -MMD -MP -MF $@.d -shared -o $@ $<

# Written only when the flags change: then everything is stale.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(LDFLAGS) $(URING_LIBS)' | cmp -s - $@ || \
	  echo '$(COMPILE) $(LDFLAGS) $(URING_LIBS)' > $@

-include $(OBJECTS:.o=.d) $(PROGRAMS:=.d) $(SUPPORT:=.d)


# Each target below sets up what it uses.  The build after that is a make of
# its own: nothing of it starts, with -j either, before the compiler is there.

deps: ## install whatever any of these targets needs (Debian)
	$(DEPS) build test check valgrind format

demo: ## set up, build, and drive the echo server for a few seconds
	$(DEPS) build
	$(SUBMAKE) all programs
	@$(call in_tree,$(BUILD)) $(LUA) bench/demo.lua

test: ## set up, build, and run the specs (SPEC=path, FILTER=pattern)
	$(DEPS) build test
	$(SUBMAKE) all support
	@$(call in_tree,$(BUILD)) $(BUSTED)

check: ## lint, -Werror twice, symbols, luarocks make, stale docs, coverage
	$(DEPS) build check
	$(SUBMAKE) lint
	$(SUBMAKE) BUILD=build/check/gcc CC=gcc VARIANT=-Werror all programs
	$(SUBMAKE) BUILD=build/check/clang CC=clang VARIANT=-Werror all programs
	$(SUBMAKE) BUILD=build/check/gcc symbols
	$(SUBMAKE) rock
	$(SUBMAKE) stale
	$(SUBMAKE) coverage

lint: ## luacheck over everything written in Lua
	$(DEPS) check
	@luacheck --quiet --no-color $(LUA_SOURCES)

# The module exports its luaopen_* and nothing else, and has no Lua of its own.
symbols:
	@! nm -D --defined-only $(CORE) | grep -v ' T luaopen_'
	@! readelf -d $(CORE) | grep 'NEEDED.*liblua'

# Installs into a tree, and requires the module with no other tree in sight.
ROCKS = $(CURDIR)/build/check/rocks
rock:
	@rm -rf '$(ROCKS)'
	@env -u MAKEFLAGS luarocks --lua-version 5.4 make --tree '$(ROCKS)'
	@cd / && LUA_CPATH='$(ROCKS)/lib/lua/5.4/?.so' \
	  LUA_PATH='$(ROCKS)/share/lua/5.4/?.lua;$(ROCKS)/share/lua/5.4/?/init.lua' \
	  $(LUA) -e 'require "uring"'

# The names of liburing, in the headers that a compiler finds.
headers = $$(echo '\#include <liburing.h>' | \
             $(CC) $(OWN_CPPFLAGS) -x c -M - | tr ' ' '\n' | \
             grep -E '/liburing(/io_uring)?(/[a-z_]+)?[.]h$$')

coverage: ## what of liburing is missing, by its headers and docs/data
	$(DEPS) build
	$(SUBMAKE) all
	@$(call in_tree,$(BUILD)) $(LUA) .ci/coverage.lua $(headers)

GENERATED = docs/reference.md docs/friendly.md lua/uring/meta/core.lua lua/uring/meta/op.lua
generate = mkdir -p $1/docs $1/lua/uring/meta && \
           $(call in_tree,$(BUILD)) $(LUA) .ci/docs.lua $1

docs: ## write the reference and the annotations, from the table and the sources
	$(DEPS) build
	$(SUBMAKE) all
	@$(call generate,.)

# Are they what the table gives?
stale:
	$(SUBMAKE) all
	@$(call generate,build/check/docs)
	@for f in $(GENERATED); do \
	  diff -u $$f build/check/docs/$$f || { echo "$$f: make docs"; exit 1; } \
	done

format: ## clang-format the C sources in place
	$(DEPS) format
	clang-format -i src/*.[ch]


# The specs again, under something that looks closer.

# Leaks are found after lua_close has unloaded the module: nodelete keeps it, so
# that reports can name its functions.
SANITIZE = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=undefined -Wl,-z,nodelete
sanitizers = $$(gcc -print-file-name=libasan.so) \
             $$(gcc -print-file-name=libubsan.so)

ASAN = detect_stack_use_after_return=1:allocator_may_return_null=1

asan: ## the specs under AddressSanitizer and UBSan, leaks included
	$(DEPS) build test
	$(SUBMAKE) BUILD=build/asan CC=gcc VARIANT='$(SANITIZE)' all support
	@$(call in_tree,build/asan) $(call scale,0.25) \
	  ASAN_OPTIONS="$(ASAN):$$ASAN_OPTIONS" \
	  UBSAN_OPTIONS="print_stacktrace=1:$$UBSAN_OPTIONS" \
	  LD_PRELOAD="$(sanitizers)" $(BUSTED)

MEMCHECK = valgrind --quiet --error-exitcode=99 --leak-check=full \
           --keep-debuginfo=yes

valgrind: ## the specs under valgrind's memcheck
	$(DEPS) build test valgrind
	$(SUBMAKE) all support
	@$(call in_tree,$(BUILD)) $(call scale,0.1) \
	  URING_SPEC_RUNNER='$(MEMCHECK)' $(MEMCHECK) $(BUSTED)

# Not what makes its own rings, of all these kinds or in scripts of its own
# (limits, setup_errors, and whoever loops over the configurations), and not
# what shows programs to a reader, or measures.
OFF_RING = ring sqe sqpoll enter register_errors cqe late multishot_soak map \
           limits setup_errors memory examples readme
RING_SPECS = $(filter-out $(OFF_RING:%=spec/%_spec.lua),\
               $(sort $(wildcard spec/*_spec.lua)))

rings: ## the specs on every kind of ring but the default: SQPOLL, tiny ...
	$(DEPS) build test
	$(SUBMAKE) all support
	@$(call in_tree,$(BUILD)) $(call scale,0.1) LUA='$(LUA)' .ci/rings \
	  "$(BUSTED_RUN)" $(patsubst spec,$(RING_SPECS),$(SPEC))

gc: ## the specs with a full collection at every resume
	$(DEPS) build test
	$(SUBMAKE) all support
	@$(call in_tree,$(BUILD)) $(call scale,0.25) URING_GC_TORTURE=1 $(BUSTED)

oom: ## fail every allocation of some scripts once: nothing may leak
	$(DEPS) build
	$(SUBMAKE) all $(BUILD)/oom
	@$(call in_tree,$(BUILD)) $(BUILD)/oom spec/oom/load.lua 7
	@for script in $(filter-out %/load.lua,$(wildcard spec/oom/*.lua)); do \
	  $(call in_tree,$(BUILD)) $(BUILD)/oom $$script && \
	  $(call in_tree,$(BUILD)) $(BUILD)/oom $$script 1 0 || exit; \
	done

# It replaces the C library's allocator for the module as well: -rdynamic.
$(BUILD)/oom: spec/oom/oom.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) -std=gnu11 -O1 -g -Wall -Wextra \
	  $(CFLAGS) -rdynamic -o $@ $< $(LUA_LIBS)

matrix: ## build and test with the liburing of newer Debian releases
	$(DEPS) build test
	@.ci/matrix

bench: ## run the benchmarks beside their C twins (BENCH=names)
	$(DEPS) build
	$(SUBMAKE) all programs
	@$(call in_tree,$(BUILD)) $(LUA) bench/run.lua $(BENCH)


install: all ## install under $(DESTDIR)$(PREFIX)
	install -D -m 755 $(CORE) '$(DESTDIR)$(INST_LIBDIR)/uring/core.so'
	for f in $(MODULES); do \
	  install -D -m 644 lua/$$f '$(DESTDIR)$(INST_LUADIR)'/$$f || exit; \
	done

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(INST_LIBDIR)/uring/core.so'
	for f in $(MODULES); do rm -f '$(DESTDIR)$(INST_LUADIR)'/$$f; done
	for d in '$(DESTDIR)$(INST_LIBDIR)' '$(DESTDIR)$(INST_LUADIR)'; do \
	  if [ -d "$$d/uring" ]; then find "$$d/uring" -type d -empty -delete; fi; \
	done

clean: ## remove build/
	rm -rf build

env: ## print the paths of the uninstalled tree: eval "$(make -s env)"
	@echo "export LUA_PATH='$(LUA_PATH_HERE)'"
	@echo "export LUA_CPATH='$(CURDIR)/$(BUILD)/?.so;;'"

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 14
