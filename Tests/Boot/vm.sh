# shellcheck shell=bash disable=SC2154
# Virtual machines, emulated: no KVM is needed. Sourced by run.sh.

# Seconds that one boot may take. A quiet machine needs 30.
boot_limit=${CVM_CLEVIS_BOOT_LIMIT:-300}

# boot NAME INITRD DISK [-- words of the kernel's command line]: returns when the machine is off. Its console stays in
# $work/NAME.console. The disk is left as it is, unless VM_KEEP is set. VM_TPM: a folder with the state of a TPM; VM_OPTIONS: more of QEMU's;
# VM_MEANWHILE: a command that runs beside it, with the console's file as its argument, and types what it prints.
boot() {
    local name=$1 initrd=$2 disk=$3 options=("${VM_OPTIONS[@]}") keyboard=/dev/null beside="" status=0
    shift 3
    [ "${1:-}" != -- ] || shift
    console=$work/$name.console
    if [ -n "${VM_TPM:-}" ]; then attach_tpm "$VM_TPM"; fi
    if [ -n "${VM_MEANWHILE:-}" ]; then
        keyboard=$work/keyboard
        rm -f "$keyboard"
        mkfifo "$keyboard"
        : >"$console"
        "$VM_MEANWHILE" "$console" >"$keyboard" &
        beside=$!
    fi
    # One processor: with two, this emulator now and then loses an instruction that the kernel is just rewriting.
    timeout --foreground "$boot_limit" qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 1 -m 1024 -nographic -no-reboot \
        -kernel "$guest/boot/vmlinuz-$kernel" -initrd "$initrd" \
        -append "console=ttyS0,115200 root=/dev/mapper/root ro panic=-1 loglevel=4 systemd.show_status=0 \
            systemd.journald.forward_to_console=1 rd.auto=0 $*" \
        -netdev user,id=net -device virtio-net-pci,netdev=net \
        -drive "file=$disk,if=virtio,format=raw,cache=unsafe,snapshot=$([ -n "${VM_KEEP:-}" ] && echo off || echo on)" \
        "${options[@]}" <"$keyboard" >"$console" 2>&1 || status=$?
    if [ -n "$beside" ]; then kill "$beside" 2>/dev/null || true; fi
    if [ -n "${VM_TPM:-}" ]; then detach_tpm; fi
    [ "$status" = 0 ] || boot_failed "$name: the machine was not off after $boot_limit seconds, or QEMU failed (status $status)"
}

# Adds a TPM to the options of boot.
attach_tpm() {
    local socket=$work/tpm.socket
    rm -f "$socket"
    swtpm socket --tpm2 --tpmstate "dir=$1" --ctrl "type=unixio,path=$socket" --flags not-need-init &
    TPM_PID=$!
    until [ -S "$socket" ]; do sleep 0.05; done
    options+=(-chardev "socket,id=tpm,path=$socket" -tpmdev "emulator,id=tpm0,chardev=tpm" -device "tpm-crb,tpmdev=tpm0")
}

# It ends by itself when QEMU lets go of it.
detach_tpm() {
    kill "$TPM_PID" 2>/dev/null || true
    wait "$TPM_PID" 2>/dev/null || true
}

# boot_failed REASON: keeps the console where the run's own files are not removed.
boot_failed() {
    local kept
    kept=$(mktemp "${TMPDIR:-/tmp}/cvm-clevis-boot.XXXXXX.log")
    tr -d '\r' <"$console" >"$kept"
    tail -40 "$kept" >&2
    die "$1: the console is in $kept"
}

# opens NAME INITRD DISK [-- words]: the initrd must have opened the root, which must be encrypted, in the boot that is made.
opens() {
    boot "$@"
    grep -aq '^cvm-clevis-test: root: .* crypt aes-xts-plain64 ' "$console" || boot_failed "$1: the root was not opened"
    ok "$1 ($(booted_in) s)"
}

# stays_closed NAME PATTERN INITRD DISK [-- words]: the machine must go off without opening a root, and our program say why on
# the console itself, which unlike the journal's lines are without a time.
stays_closed() {
    local name=$1 pattern=$2
    shift 2
    boot "$name" "$@"
    ! grep -aq '^cvm-clevis-test: root: ' "$console" || boot_failed "$name: a root was opened"
    tr -d '\r' <"$console" | grep -aEq -- "^cvm-clevis-unlock: .*$pattern" || boot_failed "$name: the console does not say $pattern"
    ok "$name"
}

# When the root was open, in seconds after the kernel's start.
booted_in() { sed -n 's/^cvm-clevis-test: open after \([0-9.]*\).*/\1/p' "$console" | tr -d '\r'; }

# For VM_MEANWHILE: waits until the console says PATTERN.
console_says() { # console_says CONSOLE PATTERN
    until grep -aq -- "$2" "$1"; do sleep 0.2; done
}

# For VM_MEANWHILE: a person who knows the passphrase.
type_passphrase() {
    console_says "$1" 'enter passphrase'
    sleep 1
    printf 'correct horse\r'
}
