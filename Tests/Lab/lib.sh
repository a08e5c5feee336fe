# Shared by the lab's scripts; sourced, not run.
# shellcheck shell=bash

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_CACHE=${FRAMEPATH_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/framepath-lab}
LAB_ROOT=$LAB_CACHE/root
LAB_LOADER=$LAB_ROOT/lib64/ld-linux-x86-64.so.2
LAB_LIBRARIES=$LAB_ROOT/usr/lib/x86_64-linux-gnu

lab_fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 125
}

# The time in seconds with microseconds, without starting a process.
lab_now() {
    printf '%s' "${EPOCHREALTIME/,/.}"
}

lab_since() {
    awk -v a="$1" -v b="$(lab_now)" 'BEGIN { printf "%.1f", b - a }'
}

lab_require() {
    [ -e "$LAB_CACHE/complete" ] || lab_fail "the lab is not prepared; run: make lab  (or Tests/Lab/prepare)"
}

# 11 (default) or 10: the program and its module directory. A second argument, dbus, adds that display's modules.
lab_qemu_set() {
    local libraries=$LAB_LIBRARIES
    case $1 in
    11) LAB_QEMU=$LAB_ROOT/usr/bin/qemu-system-x86_64 LAB_QEMU_MODULES=$LAB_LIBRARIES/qemu LAB_QEMU_DATA=$LAB_ROOT ;;
    10) LAB_QEMU=$LAB_CACHE/qemu10/usr/bin/qemu-system-x86_64 LAB_QEMU_MODULES=$LAB_CACHE/qemu10/usr/lib/x86_64-linux-gnu/qemu
        LAB_QEMU_DATA=$LAB_CACHE/qemu10 ;;
    *) lab_fail "QEMU 11 or 10, not $1" ;;
    esac
    if [ "${2:-}" = dbus ]; then
        [ "$1" = 11 ] || lab_fail "the D-Bus display is QEMU 11's"
        LAB_QEMU_MODULES=$LAB_CACHE/dbus/modules
        libraries=$LAB_LIBRARIES:$LAB_CACHE/peer/usr/lib/x86_64-linux-gnu
    fi
    # Not chroot, so that the caller's paths and fds stay valid. The root's loader uses the root's own libc.
    LAB_QEMU_COMMAND=("$LAB_LOADER" --library-path "$libraries" --argv0 qemu-system-x86_64 "$LAB_QEMU"
        -L "$LAB_QEMU_DATA/usr/share/qemu" -L "$LAB_ROOT/usr/share/seabios" -L "$LAB_ROOT/usr/lib/ipxe/qemu")
    export QEMU_MODULE_DIR=$LAB_QEMU_MODULES
    # QEMU also searches its built-in module directory, and crashes on modules of another QEMU there.
    local builtin=/usr/lib/x86_64-linux-gnu/qemu
    if [ -d "$builtin" ]; then
        # shellcheck disable=SC2016
        LAB_QEMU_COMMAND=(unshare --mount sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$LAB_QEMU_MODULES" "$builtin"
            "${LAB_QEMU_COMMAND[@]}")
    fi
}

# Kernel command line of all our VMs. Features unrelated to graphics that cost boot time under TCG are switched off:
# the jitter entropy self test and the certificate list alone take 0.4 s of 4.
LAB_KERNEL_WORDS='console=ttyS0 quiet panic=-1 nokaslr mitigations=off no_timer_check tsc=reliable random.trust_cpu=on audit=0 apparmor=0 selinux=0 nowatchdog initcall_blacklist=jent_mod_init,load_system_certificate_list'

# Directory of a prepared kernel: new (7.2), stock (6.12), old (6.1, for guests only), or a release's prefix.
lab_kernel() {
    local name=$1 d
    case $name in new | stock | old) ;; *)
        for d in new stock old; do
            case $(cat "$LAB_CACHE/kernel-$d/release" 2>/dev/null) in "$name"*) name=$d; break ;; esac
        done ;;
    esac
    d=$LAB_CACHE/kernel-$name
    [ -e "$d/kernel" ] || lab_fail "no kernel $1 in the lab; there are: new ($(cat "$LAB_CACHE/kernel-new/release")), stock ($(cat "$LAB_CACHE/kernel-stock/release")), old ($(cat "$LAB_CACHE/kernel-old/release"))"
    printf '%s' "$d"
}

# kvm or tcg. A /dev/kvm that opens is not sufficient (nested machines without the CPU's extensions), so a guest is
# booted, once per boot of this machine.
lab_accel() {
    if [ -n "${FRAMEPATH_LAB_ACCEL:-}" ]; then printf '%s' "$FRAMEPATH_LAB_ACCEL"; return; fi
    if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then printf tcg; return; fi
    local result log file child i
    file=$LAB_CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
    if ! [ -e "$file" ]; then
        log=$(mktemp)
        result=tcg
        (
            # Not under timeout, because QEMU itself must be killed: after a KVM internal error it does not exit.
            # 9 is prepare's lock, which must not outlive prepare.
            lab_qemu_set 11
            "${LAB_QEMU_COMMAND[@]}" -accel kvm -cpu host -m 256 -machine q35 -nodefaults -display none -no-reboot \
                -serial "file:$log" -kernel "$LAB_CACHE/kernel-stock/kernel" -append 'console=ttyS0 panic=-1' >"$log.err" 2>&1 9>&- &
            child=$!
            for ((i = 0; i < 150; i++)); do
                kill -0 "$child" 2>/dev/null || break
                if grep -aqs 'KVM internal error' "$log.err"; then break; fi
                sleep 0.1
            done
            kill -9 "$child" || true
            wait "$child" || true
        ) 2>/dev/null
        if grep -aq 'Linux version' "$log"; then result=kvm; fi
        rm -f "$log" "$log.err"
        rm -f "$LAB_CACHE"/accel-* 2>/dev/null || true
        printf '%s' "$result" >"$file" 2>/dev/null || { printf '%s' "$result"; return; }
    fi
    cat "$file"
}

# The arguments for the accelerator and a suitable CPU.
lab_accel_words() {
    case $(lab_accel) in
    kvm) printf '%s\n' -accel kvm -cpu host ;;
    *) printf '%s\n' -accel tcg,thread=multi -cpu max,pmu=off,la57=off ;;
    esac
}
