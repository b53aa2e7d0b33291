# shellcheck shell=bash disable=SC2034,SC2154
# Peers of pins that keep running while a case or a benchmark does. Everything lies in $work, and stop_peers ends it.

peers=()

stop_peers() {
    local peer
    for peer in "${peers[@]}"; do
        kill "$peer" 2>/dev/null || true
        wait "$peer" 2>/dev/null || true
    done
    peers=()
}

# start_tang NAME: Debian's tangd with keys of its own in $work/NAME; sets TANG_URL and TANG_PID.
start_tang() {
    local port
    mkdir -p "$work/$1"
    [ -n "$(ls "$work/$1")" ] || /usr/libexec/tangd-keygen "$work/$1"
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "SYSTEM:/usr/libexec/tangd $work/$1" 2>/dev/null &
    TANG_PID=$!
    peers+=("$TANG_PID")
    TANG_URL=http://127.0.0.1:$port
    for _ in $(seq 100); do
        curl -sf "$TANG_URL/adv/" >/dev/null && return
        sleep 0.05
    done
    die "tangd does not answer at $TANG_URL"
}

# rotate_tang NAME: hides its keys, which it still answers for, and makes new ones.
rotate_tang() {
    local key
    for key in "$work/$1"/*.jwk; do mv "$key" "$work/$1/.${key##*/}"; done
    /usr/libexec/tangd-keygen "$work/$1"
}

# thumbprint NAME [HASH]: of its signing key, as the jose program computes it.
thumbprint() {
    local key
    for key in "$work/$1"/*.jwk; do
        grep -q ECMR "$key" || jose jwk thp -a "${2:-S256}" -i "$key"
    done
}

# start_silence: a server that accepts and never answers; sets SILENT_URL.
start_silence() {
    python3 -c 'if True:
        import socket, time
        server = socket.create_server(("127.0.0.1", 0), backlog=64)
        print("http://127.0.0.1:%d" % server.getsockname()[1], flush=True)
        time.sleep(3600)' >"$work/silence" &
    peers+=($!)
    until [ -s "$work/silence" ]; do sleep 0.05; done
    SILENT_URL=$(cat "$work/silence")
}

# start_tpm NAME [swtpm_setup options]: swtpm on a socket; sets and exports TPM2TOOLS_TCTI.
start_tpm() {
    local socket=$work/$1/socket
    mkdir "$work/$1"
    [ $# = 1 ] || swtpm_setup --tpm2 --tpm-state "$work/$1" "${@:2}" >/dev/null
    swtpm socket --tpm2 --tpmstate "dir=$work/$1" --ctrl "type=unixio,path=$socket.ctrl" \
        --server "type=unixio,path=$socket" --flags startup-clear 2>/dev/null &
    peers+=($!)
    until [ -S "$socket" ]; do sleep 0.05; done
    export TPM2TOOLS_TCTI=swtpm:path=$socket
}
