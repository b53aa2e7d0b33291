# shellcheck shell=bash disable=SC2154
# What the demonstration and the end-to-end tests share. Sourced from the project's root.

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
note() { printf '\n-- %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Shows a command as a person would type it.
show() {
    local word line='$'
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./:=,@-]*) line+=" '$word'" ;;
            *) line+=" $word" ;;
        esac
    done
    printf '%s\n' "$line"
}

# Shows a command and runs it.
run() {
    show "$@"
    "$@"
}

# Runs a command whose output matters only when it fails.
quietly() {
    local output
    output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2; die "failed: $*"; }
}

# Runs a command that must fail, and shows why it did.
refused() {
    show "$@"
    if "$@"; then die "this should have been refused"; fi
}

# Builds every program as it ships; sets PROGRAMS to their folder. By name: a build of everything also links, at times, a
# shared library that a dependency offers and nobody here uses.
build_release() {
    local program
    for program in cvm-clevis cvm-clevis-broker cvm-clevis-unlock cvm-tee-sim; do
        scripts/release-build --product "$program"
    done
    # shellcheck disable=SC2034 # used by those who source this file
    PROGRAMS=$(scripts/release-build --show-bin-path)
}

# Installs sev-snp-measure, which our launch measurements are held against, where it is missing; sets LAUNCH_ORACLE to its folder.
install_launch_oracle() {
    LAUNCH_ORACLE=.build/launch-oracle
    [ ! -x "$LAUNCH_ORACLE/bin/sev-snp-measure" ] || return 0
    python3 -m venv "$LAUNCH_ORACLE"
    "$LAUNCH_ORACLE/bin/pip" install --quiet --disable-pip-version-check sev-snp-measure==0.0.13
}

# start_broker DIRECTORY [OPTIONS…]: starts a broker on a free loopback port; sets BROKER_URL, and BROKER_LOG.
start_broker() {
    local directory=$1
    shift
    BROKER_LOG=$directory/serve.log
    : >"$BROKER_LOG"
    cvm-clevis-broker serve "$directory" --listen 127.0.0.1:0 --amd-kds off --intel-pcs off "$@" >"$BROKER_LOG" 2>&1 &
    BROKER_PID=$!
    for _ in $(seq 100); do
        BROKER_URL=$(sed -n 's/.*listening on \(https*:[^ ]*\).*/\1/p' "$BROKER_LOG" | head -1)
        [ -n "$BROKER_URL" ] && break
        kill -0 "$BROKER_PID" 2>/dev/null || { cat "$BROKER_LOG" >&2; die "the broker did not start"; }
        sleep 0.1
    done
    [ -n "$BROKER_URL" ] || die "the broker did not say where it listens"
    printf 'broker: %s\n' "$BROKER_URL"
}

stop_broker() {
    [ -n "${BROKER_PID:-}" ] || return 0
    kill "$BROKER_PID" 2>/dev/null || true
    wait "$BROKER_PID" 2>/dev/null || true
    BROKER_PID=
}

# make_image FILE PASSPHRASE_FILE [cryptsetup options]: an ordinary LUKS2 volume in a file.
make_image() {
    local image=$1 passphrase=$2
    shift 2
    truncate -s 64M "$image"
    run cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
        "$@" "$image" "$passphrase"
}

# prepare_owner WORK [ADDRESS]: a broker that trusts the simulator, started; an owner with defaults, enrolled, for guests that
# see this machine at ADDRESS. XDG_CONFIG_HOME is set.
prepare_owner() {
    quietly cvm-clevis-broker init "$1/broker"
    quietly cvm-tee-sim trust "$1/simulator"
    quietly cvm-tee-sim policy --output "$1/policy.json"
    start_broker "$1/broker" --trust-simulator "$1/simulator" --collateral "$1/simulator/collateral" >/dev/null
    enrol_owner "$1" owner "${2:-127.0.0.1}"
}

# enrol_owner WORK NAME ADDRESS: another one, with a XDG_CONFIG_HOME of its own.
enrol_owner() {
    quietly cvm-clevis init --broker "$1/broker/public.json" --url "${BROKER_URL/127.0.0.1/$3}" --policy "$1/policy.json"
    quietly cvm-clevis-broker owner add "$1/broker" "$2" "$XDG_CONFIG_HOME/cvm-clevis/owner.pub.jwk"
}

# ok NAME: counts a case that passed, in $passed.
ok() {
    passed=$((passed + 1))
    printf 'ok: %s\n' "$1"
}

# expect NAME COMMAND…: it must succeed. What it says stays in $work/out and $work/err.
expect() {
    local name=$1
    shift
    "$@" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err" >&2; die "$name: failed: $*"; }
    ok "$name"
}
