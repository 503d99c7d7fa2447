# mupdated: a MUPDATE (RFC 3656) master server.
#
#   make              build everything into build/
#   make run          install what is missing, build, run a master on a local port
#   make check        install what is missing, build, run all tests
#   make fuzz         TIME=60 JOBS=2: each fuzz harness, for so many seconds of a processor
#   make bench        measure it beside Cyrus's own master (as root)
#   make deb          Debian packages, into build/deb/
#   make install      DESTDIR= PREFIX=/usr/local; "make uninstall" takes it away again
#
# V=1 shows the commands. Variants build apart from the normal build, in build/VARIANT/:
#   make SANITIZER=address,undefined     make CC=clang

VERSION := $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
Q := $(if $(V),,@)
# Of the shared libraries, apart from the program's: the first number changes
# when a program that was linked with the last one would no longer work.
SOVERSION := 1.0.0
SOMAJOR := $(firstword $(subst ., ,$(SOVERSION)))

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
comma := ,
VARIANT := $(subst $(comma),-,$(SANITIZER))$(if $(and $(SANITIZER),$(findstring clang,$(CC))),-)$(if $(findstring clang,$(CC)),clang)
BUILD := build$(addprefix /,$(VARIANT))

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
# Where systemd looks for what packages (PREFIX=/usr) and administrators install.
SYSTEMDDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
COMPLETIONSDIR ?= $(PREFIX)/share/bash-completion/completions
EXAMPLESDIR ?= $(PREFIX)/share/doc/mupdated/examples
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

RUN_PACKAGES := gcc make pkg-config libdb5.3-dev libuv1-dev libssl-dev libsasl2-dev \
    libsasl2-modules sasl2-bin zlib1g-dev libsystemd-dev libxxhash-dev libjansson-dev libbsd-dev libmicrohttpd-dev
CHECK_PACKAGES := $(RUN_PACKAGES) libcmocka-dev python3 python3-pytest python3-pytest-xdist openssl mandoc binutils \
    systemd strace faketime prometheus db5.3-util
CI_PACKAGES := $(CHECK_PACKAGES) clang libclang-rt-14-dev valgrind
MURDER_PACKAGES := $(CHECK_PACKAGES) util-linux cyrus-common cyrus-imapd cyrus-pop3d cyrus-murder cyrus-clients
AUTH_PACKAGES := $(MURDER_PACKAGES) krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit \
    python3-gssapi slapd ldap-utils
STATIC_PACKAGES := $(RUN_PACKAGES) git python3 clang-tidy cppcheck shellcheck
BENCH_PACKAGES := $(MURDER_PACKAGES)
DEB_PACKAGES := $(RUN_PACKAGES) libcmocka-dev python3 python3-pytest debhelper dpkg-dev lintian procps util-linux

# Flags that a packager sets (CPPFLAGS, CFLAGS, LDFLAGS) come on top of those that
# the code needs.
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wformat-security -Werror
SANITIZE := $(if $(SANITIZER),-fsanitize=$(SANITIZER) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# What keeps a fault from being misused. A packager's _FORTIFY_SOURCE counts; it
# means nothing without optimization, and sanitizers see more.
HARDENING := -fstack-protector-strong -fstack-clash-protection \
    $(if $(filter x86_64-% i%86-%,$(shell $(CC) -dumpmachine)),-fcf-protection) \
    $(if $(SANITIZER)$(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,$(if \
        $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3))
HARDENED_LINK := -Wl,-z,relro,-z,now,-z,noexecstack
INCLUDES := -Ilibmupdate/include -Ilibmupdate -I.
DEFINES := -D_GNU_SOURCE -DMUPDATED_VERSION='"$(VERSION)"'
# For those who ask for it, so that another PREFIX does not make everything anew.
PLACE := -DMUPDATED_SYSCONFDIR='"$(SYSCONFDIR)"'
ALL_CFLAGS = -std=c11 $(WARNINGS) $(DEFINES) $(INCLUDES) $(SANITIZE) $(HARDENING) -fPIC -fvisibility=hidden \
    -pthread -MMD -MP $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(SANITIZE) -pthread -Wl,--as-needed $(HARDENED_LINK) $(LDFLAGS)

# What each part links with. The lists are expanded when a recipe runs, so that
# "make run" can install the packages first.
pkg = $(shell pkg-config --libs $(1))
LAYER_LIBS = $(call pkg,openssl libsasl2 zlib)
CTL_LIBS = $(call pkg,jansson libbsd libxxhash) -ldb-5.3 $(LAYER_LIBS)
MUPDATED_LIBS = $(call pkg,jansson libmicrohttpd libuv libsystemd libxxhash) -ldb-5.3 $(LAYER_LIBS)
TEST_LIBS = $(call pkg,cmocka jansson libbsd) $(MUPDATED_LIBS)

# --- sources: the folders are the modules -----------------------------------

WIRE := $(wildcard libmupdate/wire/*.c)
LAYER := $(wildcard libmupdate/layer/*.c)
SERVER := $(wildcard libmupdate/server/*.c)
CLIENT := $(wildcard libmupdate/client/*.c)
DAEMON := $(wildcard mupdated/*.c mupdated/*/*.c)
TOOLS_CTL := $(wildcard tools/mupdatectl/*.c)
# What mupdatectl shares with the daemon, to work on its database while that is stopped.
ROOMS_CTL := $(wildcard mupdated/store/*.c mupdated/dump/*.c mupdated/table/*.c mupdated/config*.c) \
    mupdated/control/json.c mupdated/log.c
TOOLS_BENCH := $(wildcard tools/mupdate-bench/*.c)
UNIT_TESTS := $(wildcard tests/unit/*/test_*.c)
UNIT_SUPPORT := $(filter-out $(UNIT_TESTS),$(wildcard tests/unit/*/*.c tests/unit/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SERVER_SO := $(BUILD)/libmupdate-server.so
CLIENT_SO := $(BUILD)/libmupdate-client.so
PROGRAMS := $(BUILD)/mupdated $(BUILD)/mupdatectl $(BUILD)/mupdate-bench
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_TESTS))

all: $(PROGRAMS) $(SERVER_SO).$(SOVERSION) $(CLIENT_SO).$(SOVERSION) \
    $(BUILD)/libmupdate-server.pc $(BUILD)/libmupdate-client.pc

$(BUILD)/mupdated: $(call obj,$(WIRE) $(LAYER) $(SERVER) $(DAEMON))
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(MUPDATED_LIBS)

$(BUILD)/mupdatectl: $(call obj,$(WIRE) $(LAYER) $(CLIENT) $(TOOLS_CTL) $(ROOMS_CTL))
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(CTL_LIBS)

$(BUILD)/mupdate-bench: $(call obj,$(WIRE) $(LAYER) $(TOOLS_BENCH))
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(LAYER_LIBS)

# A shared library exports what its version script lists and nothing else.
define shared_library
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(notdir $(1)).$(SOMAJOR) \
	    -Wl,--version-script=$(2) -Wl,-z,defs -o $@ $(filter %.o,$^) $(3)
	ln -sf $(notdir $@) $(1).$(SOMAJOR)
	ln -sf $(notdir $(1)).$(SOMAJOR) $(1)
endef

$(SERVER_SO).$(SOVERSION): $(call obj,$(WIRE) $(SERVER)) libmupdate/server/libmupdate-server.map
	$(call shared_library,$(SERVER_SO),libmupdate/server/libmupdate-server.map,)

$(CLIENT_SO).$(SOVERSION): $(call obj,$(WIRE) $(LAYER) $(CLIENT)) libmupdate/client/libmupdate-client.map
	$(call shared_library,$(CLIENT_SO),libmupdate/client/libmupdate-client.map,$(LAYER_LIBS))

# Made each time: PREFIX may be another at "make install".
$(BUILD)/%.pc: libmupdate/%.pc.in FORCE | $(BUILD)
	$(Q)sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' -e 's|@includedir@|$(INCLUDEDIR)|' \
	    -e 's|@version@|$(VERSION)|' $< > $@

$(BUILD):
	mkdir -p $@

FORCE:

# Objects are made again when the flags differ from those of the last time.
FLAGS := $(BUILD)/obj/flags
PLACE_FLAGS := $(BUILD)/obj/place
remember = $(shell mkdir -p $(BUILD)/obj; echo '$(2)' | cmp -s - $(1) || echo '$(2)' >$(1))
$(call remember,$(FLAGS),$(CC) $(ALL_CFLAGS))
$(call remember,$(PLACE_FLAGS),$(PLACE))

PLACED := $(call obj,$(shell grep -lE '(MUPDATED_SYSCONFDIR|CTL_DEFAULT_CONFIG)' $(DAEMON) $(TOOLS_CTL)))
$(PLACED): DEFINES += $(PLACE)
$(PLACED): $(PLACE_FLAGS)

$(BUILD)/obj/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# --- tests -------------------------------------------------------------------

# Unit tests link with everything but the programs' main files. mupdate-bench is
# apart: it parses and checks MUPDATE with code of its own.
TEST_OBJECTS := $(call obj,$(WIRE) $(LAYER) $(SERVER) $(CLIENT) $(filter-out %/main.c,$(DAEMON) $(TOOLS_CTL)) $(UNIT_SUPPORT))

$(BUILD)/libtest.a: $(TEST_OBJECTS) Makefile
	@echo "  AR $@"
	$(Q)rm -f $@ && ar rcs $@ $(TEST_OBJECTS)

$(BUILD)/bench-store-rate: $(BUILD)/obj/tests/bench/store_rate.o $(BUILD)/libtest.a
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)

# A test of this name makes allocations fail (tests/unit/table/allocations.h).
$(BUILD)/tests/%/test_memory: ALL_LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

unit-programs: $(UNIT_PROGRAMS)

# Puts damage into tables (tests/damage).
PLANT := $(BUILD)/tests/damage/plant

$(PLANT): $(call obj,tests/damage/plant.c)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ldb-5.3

# A harness runs over files (tests/fuzz/replay.c), or, in a build with libFuzzer,
# over what that makes of them.
FUZZ_HARNESSES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_PROGRAMS := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(FUZZ_HARNESSES))
FUZZ_MAIN = $(if $(findstring fuzzer,$(SANITIZER)),-fsanitize=fuzzer,$(call obj,tests/fuzz/replay.c))
FUZZ_OBJECTS := $(call obj,$(WIRE) $(LAYER) $(SERVER) $(CLIENT) $(wildcard mupdated/config*.c) \
    $(wildcard mupdated/dump/*.c tools/mupdatectl/cyrus_*.c) mupdated/control/json.c \
    mupdated/control/session.c mupdated/auth/identity.c mupdated/store/format.c mupdated/table/digest.c \
    mupdated/table/order.c mupdated/table/row.c mupdated/table/rule.c tests/unit/dump/dump_support.c \
    tests/unit/server/server_model.c tests/unit/server/server_support.c \
    $(filter-out $(FUZZ_HARNESSES) tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))

$(BUILD)/libfuzz.a: $(FUZZ_OBJECTS) Makefile
	@echo "  AR $@"
	$(Q)rm -f $@ && ar rcs $@ $(FUZZ_OBJECTS)

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/libfuzz.a
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(BUILD)/libfuzz.a $(TEST_LIBS)

# Its files come from the input.
$(BUILD)/fuzz/config: ALL_LDFLAGS += -Wl,--wrap=open

# Nobody shakes hands.
$(BUILD)/fuzz/peer: ALL_LDFLAGS += -Wl,--wrap=tls_layer_established,--wrap=tls_layer_ssl \
    -Wl,--wrap=SSL_get_verify_mode,--wrap=SSL_get_verify_result,--wrap=SSL_get0_peer_certificate

fuzz-programs: $(FUZZ_PROGRAMS)

# The daemon in one process with its clients, to count what each path costs
# (tests/cost/house.h).
COST_PROGRAM := $(BUILD)/tests/cost

$(COST_PROGRAM): ALL_LDFLAGS += -Wl,--wrap=uv_cond_wait,--wrap=getrandom,--wrap=store_open
$(COST_PROGRAM): $(call obj,$(WIRE) $(LAYER) $(SERVER) $(filter-out %/main.c,$(DAEMON)) $(wildcard tests/cost/*.c))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(MUPDATED_LIBS)

cost-program: $(COST_PROGRAM)

# Each of these installs what it needs, then builds and runs in a second make,
# which sees the packages.
run:
	tools/need-packages $(RUN_PACKAGES)
	$(MAKE) all
	tools/run-local $(BUILD)

check:
	tools/need-packages $(CHECK_PACKAGES)
	$(MAKE) all unit-programs fuzz-programs $(PLANT) $(BUILD)/bench-store-rate
	tests/run $(BUILD) unit fuzz protocol faults ctl damage prometheus tour install bench

# All that any of the checks needs, for those that run side by side.
packages:
	tools/need-packages $(CI_PACKAGES) $(AUTH_PACKAGES) $(STATIC_PACKAGES) $(BENCH_PACKAGES) $(DEB_PACKAGES)

# A table of 1,000,000 rows there and back again, the first CYRUS_ROWS of them through Cyrus's
# ctl_mboxlist where that is installed (1000000: it takes minutes, and 3 GB of memory).
check-million: export CYRUS_ROWS ?= 100000
check-million:
	tools/need-packages $(CHECK_PACKAGES)
	$(MAKE) all
	tests/run $(BUILD) million

# Every damage that tests/damage knows, planted into a table.
check-damage:
	tools/need-packages $(CHECK_PACKAGES)
	$(MAKE) all $(PLANT)
	DAMAGE=all tests/run $(BUILD) damage

# Of random cases sanitizers and valgrind try one in so many (tests/unit/cases.h).
FEW := 10

check-unit:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) unit-programs
	tests/run $(BUILD) unit

check-valgrind: export TEST_CASES := $(FEW)
check-valgrind:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) unit-programs fuzz-programs
	tests/run $(BUILD) --valgrind unit fuzz

# For sanitizer builds: the unit tests, and the protocol tests on a daemon that
# is built like them.
check-protocol: export TEST_CASES := $(FEW)
# Without its search for cycles of locks: among the thousands that Berkeley DB has one for each
# page, it can take longer than any test waits.
check-protocol: export TSAN_OPTIONS := suppressions=$(CURDIR)/tests/support/tsan.supp:detect_deadlocks=0
check-protocol:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) all unit-programs
	tests/run $(BUILD) unit protocol

# Search for TIME seconds of a processor with each harness, JOBS at once.
TIME ?= 60
JOBS ?= $(shell nproc)

fuzz:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) CC=clang SANITIZER=fuzzer-no-link,address,undefined BUILD=build/fuzz fuzz-programs
	tests/fuzz/hunt build/fuzz $(TIME) $(JOBS) $(HARNESS)

# What seeds and findings reach, and what the searches on this machine added; line by line
# with llvm-cov show.
FUZZ_CORPORA := tests/fuzz/corpus tests/fuzz/regressions build/fuzz/corpus

fuzz-coverage:
	tools/need-packages $(CI_PACKAGES) llvm
	$(MAKE) CC=clang BUILD=build/coverage LDFLAGS=-fprofile-instr-generate \
	    CFLAGS="-O1 -g -fprofile-instr-generate -fcoverage-mapping" fuzz-programs
	for name in $(notdir $(FUZZ_PROGRAMS)); do \
	    LLVM_PROFILE_FILE=build/coverage/$$name.profraw build/coverage/fuzz/$$name \
	        $$(ls -d $(addsuffix /$$name,$(FUZZ_CORPORA)) 2>/dev/null) >/dev/null || exit 1; \
	done
	llvm-profdata merge -o build/coverage/all.profdata build/coverage/*.profraw
	llvm-cov report -instr-profile=build/coverage/all.profdata \
	    -ignore-filename-regex=tests/ $(patsubst %,-object build/coverage/fuzz/%,$(notdir $(FUZZ_PROGRAMS)))

# FILES="mupdated/main.c ..." for some files only.
check-static:
	tools/need-packages $(STATIC_PACKAGES)
	tests/static/run $(FILES) -- -std=c11 $(DEFINES) $(PLACE) $(INCLUDES)

check-cost:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) cost-program
	tests/run $(BUILD) cost

# Take what each path costs now for its budget.
cost-record:
	tools/need-packages $(CI_PACKAGES)
	$(MAKE) cost-program
	/usr/bin/python3 tests/cost/counts.py $(BUILD)

# Thousands of connections that misuse a daemon, while others measure it.
check-abuse:
	tools/need-packages $(CHECK_PACKAGES)
	$(MAKE) all
	tests/run $(BUILD) abuse

check-murder:
	tools/need-packages $(MURDER_PACKAGES)
	$(MAKE) all
	tests/run $(BUILD) murder

# Every way to log in, with a real KDC, saslauthd, slapd and certificates behind it.
check-auth:
	tools/need-packages $(AUTH_PACKAGES)
	$(MAKE) all
	tests/run $(BUILD) auth

# The packages that "make deb" makes: looked at, installed, started, upgraded, removed.
check-deb:
	tools/need-packages $(DEB_PACKAGES)
	$(MAKE) all
	DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS)" tools/make-deb
	tests/run $(BUILD) deb

bench:
	tools/need-packages $(BENCH_PACKAGES)
	$(MAKE) all $(BUILD)/bench-store-rate
	BUILD=$(BUILD) tests/bench/compare $(BENCH_OPTIONS)

# --- install -----------------------------------------------------------------

D = $(DESTDIR)

# A file that names the program and the configuration where PREFIX=/usr has them.
define install_placed
	sed -e 's|/usr/sbin/|$(SBINDIR)/|g' -e 's|/etc/mupdated.conf|$(SYSCONFDIR)/mupdated.conf|g' $(1) > $(D)$(2)
	chmod 644 $(D)$(2)
endef

# How others can be set up, and the configuration as it was delivered.
EXAMPLES := etc/mupdated.conf etc/mupdated.alerts.yml etc/mupdated-dashboard.json

install: all
	install -d $(D)$(SBINDIR) $(D)$(BINDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(INCLUDEDIR)/mupdate \
	    $(D)$(MANDIR)/man1 $(D)$(MANDIR)/man5 $(D)$(MANDIR)/man7 $(D)$(MANDIR)/man8 \
	    $(D)$(SYSCONFDIR) $(D)$(SYSTEMDDIR) $(D)$(SYSUSERSDIR) $(D)$(TMPFILESDIR) \
	    $(D)$(COMPLETIONSDIR) $(D)$(EXAMPLESDIR)
	install -m 755 $(BUILD)/mupdated $(BUILD)/mupdatectl $(D)$(SBINDIR)
	install -m 755 $(BUILD)/mupdate-bench $(D)$(BINDIR)
	for library in server client; do \
	    install -m 644 $(BUILD)/libmupdate-$$library.so.$(SOVERSION) $(D)$(LIBDIR) && \
	    ln -sf libmupdate-$$library.so.$(SOVERSION) $(D)$(LIBDIR)/libmupdate-$$library.so.$(SOMAJOR) && \
	    ln -sf libmupdate-$$library.so.$(SOMAJOR) $(D)$(LIBDIR)/libmupdate-$$library.so && \
	    install -m 644 $(BUILD)/libmupdate-$$library.pc $(D)$(LIBDIR)/pkgconfig || exit 1; \
	done
	install -m 644 libmupdate/include/mupdate/*.h $(D)$(INCLUDEDIR)/mupdate
	install -m 644 man/*.1 $(D)$(MANDIR)/man1
	install -m 644 man/*.5 $(D)$(MANDIR)/man5
	install -m 644 man/*.7 $(D)$(MANDIR)/man7
	install -m 644 man/*.8 $(D)$(MANDIR)/man8
	$(call install_placed,etc/mupdated.service,$(SYSTEMDDIR)/mupdated.service)
	$(call install_placed,etc/mupdated.socket,$(SYSTEMDDIR)/mupdated.socket)
	$(call install_placed,etc/mupdated.sysusers,$(SYSUSERSDIR)/mupdated.conf)
	$(call install_placed,etc/mupdated.tmpfiles,$(TMPFILESDIR)/mupdated.conf)
	install -m 644 etc/mupdatectl.bash $(D)$(COMPLETIONSDIR)/mupdatectl
	install -m 644 $(EXAMPLES) $(D)$(EXAMPLESDIR)
	test -e $(D)$(SYSCONFDIR)/mupdated.conf || install -m 640 etc/mupdated.conf $(D)$(SYSCONFDIR)

# Debian packages, into build/deb/. The unit tests run in between, unless DEB_BUILD_OPTIONS has nocheck.
deb:
	tools/need-packages $(DEB_PACKAGES)
	tools/make-deb

# All but the configuration and the database.
uninstall:
	rm -f $(D)$(SBINDIR)/mupdated $(D)$(SBINDIR)/mupdatectl $(D)$(BINDIR)/mupdate-bench \
	    $(D)$(LIBDIR)/libmupdate-server.so* $(D)$(LIBDIR)/libmupdate-client.so* \
	    $(D)$(LIBDIR)/pkgconfig/libmupdate-server.pc $(D)$(LIBDIR)/pkgconfig/libmupdate-client.pc \
	    $(foreach page,$(notdir $(wildcard man/*)),$(D)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page)) \
	    $(addprefix $(D)$(SYSTEMDDIR)/,mupdated.service mupdated.socket) \
	    $(D)$(SYSUSERSDIR)/mupdated.conf $(D)$(TMPFILESDIR)/mupdated.conf $(D)$(COMPLETIONSDIR)/mupdatectl
	rm -rf $(D)$(INCLUDEDIR)/mupdate $(D)$(EXAMPLESDIR)

clean:
	rm -rf build

.PHONY: all packages fuzz fuzz-coverage fuzz-programs unit-programs cost-program run check check-million check-damage \
    check-unit check-valgrind check-protocol check-cost check-static cost-record check-abuse check-murder \
    check-auth check-deb bench deb install uninstall clean
.SECONDARY:
