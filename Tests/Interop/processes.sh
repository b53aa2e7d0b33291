# shellcheck shell=bash disable=SC2154
# One process: no pin of ours starts another, however deep the policy.

# one_process NAME FILE: opening FILE is one exec and no fork. (Threads are clones that share the process.)
one_process() {
    strace -f -qq -e trace=execve,execveat,fork,vfork,clone,clone3 -o "$work/trace" cvm-clevis decrypt <"$2" >"$work/out"
    cmp "$work/out" "$work/secret" || die "$1: another secret"
    expect "$1: one exec" test "$(grep -c 'execve' "$work/trace")" = 1
    if grep -E 'fork|clone' "$work/trace" | grep -v -E 'CLONE_THREAD|resumed'; then die "$1: forks"; fi
    ok "$1: no fork"
}

for pin in "null {}" "tang $tang" "tpm2 $tpm" "sss $sss"; do
    cvm-clevis encrypt "${pin%% *}" "${pin#* }" <"$work/secret" >"$work/one.jwe"
    one_process "decrypting ${pin%% *}" "$work/one.jwe"
done

# Two tang servers met the threshold, perhaps while the TPM was at work; a resource manager would clear what is left in it.
tpm2_flushcontext -t
tpm2_flushcontext -l

# loads_none NAME COMMAND…: it starts without the libraries that take long to start, and never opens them.
loads_none() {
    strace -f -qq -e trace=openat -o "$work/trace" "${@:2}" >/dev/null || die "$1: failed"
    if grep -E 'lib(jose|cryptsetup|ssl)\.so' "$work/trace"; then die "$1: opens a library"; fi
    ok "$1"
}

make_image "$work/listed.img" "$work/secret" >/dev/null
cvm-clevis luks bind -d "$work/listed.img" -k "$work/secret" null '{}' 2>/dev/null
loads_none "a list takes neither libjose nor libcryptsetup" cvm-clevis luks list -d "$work/listed.img"
for pin in "tang $tang" "tpm2 $tpm"; do
    cvm-clevis encrypt "${pin%% *}" "${pin#* }" <"$work/secret" >"$work/one.jwe"
    loads_none "decrypting ${pin%% *} takes no libjose" sh -c "exec cvm-clevis decrypt <'$work/one.jwe'"
done
