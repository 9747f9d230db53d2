# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the scripts here share.  Sourced, never run.

# shellcheck disable=SC2034 # used by who sources it
KILN_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything said to the user goes to standard error: standard output belongs to the command that
# runs inside the testbed.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# as_root COMMAND...: some steps need root; a developer has sudo, CI's machine is root already.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for '$*', and there is no sudo"
    fi
}

# kill_tree PID: what runs in the background is deaf to Ctrl-C, so this has to be done for it.
# shellcheck disable=SC2013 # words are meant
kill_tree() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        kill_tree "$child"
    done
    kill "$1" 2>/dev/null || true
}

# with_progress LOG SECONDS COMMAND...: runs it with its output in LOG, and says every so many seconds
# for how long it has been running and what it did last.  Returns its status.
with_progress() {
    local log=$1 period=$2 start=$SECONDS pid status=0
    shift 2
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064 # the value of now is meant
    trap "kill_tree $pid; rm -f '$log'; exit 130" INT TERM HUP
    while kill -0 "$pid" 2>/dev/null; do
        # Waits for the process or for the period, whichever is first.
        timeout "$period" tail --pid="$pid" -f /dev/null &
        wait $! || true
        if kill -0 "$pid" 2>/dev/null; then
            say "  $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c1-100 | tr -cd '[:print:]')"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM HUP
    return "$status"
}

# long_step "what it does" COMMAND...: runs it with its output in a log, shows that it is alive and
# how long it took, and shows the log's end if it failed.
long_step() {
    local what=$1 log start=$SECONDS status=0
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/kiln-step.XXXXXX")
    say "$what ..."
    with_progress "$log" 10 "$@" || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log" >&2
        say "$what: failed with status $status after $((SECONDS - start)) s"
    else
        say "$what: done in $((SECONDS - start)) s"
    fi
    rm -f "$log"
    return "$status"
}

# build_tree DIR [CONFIGURE-ARGUMENT...]: a build of this checkout in DIR, which is made if need be.
build_tree() {
    local dir=$1
    shift
    [ -x "$KILN_TOP/configure" ] || (cd "$KILN_TOP" && ./autogen.sh) || return
    mkdir -p "$dir"
    # Configured again only if it was configured otherwise: make sees to the rest.
    if [ ! -e "$dir/Makefile" ] || [ "$(cat "$dir/.arguments" 2>/dev/null)" != "$*" ]; then
        (cd "$dir" && "$KILN_TOP/configure" -q "$@") || return
        printf '%s\n' "$*" >"$dir/.arguments"
    fi
    make -C "$dir" -s -j"$(nproc)"
}

# Why stock kernels cannot run on this machine's KVM; nothing if they can.
kvm_objection() {
    if [ ! -e /dev/kvm ]; then
        echo "there is no /dev/kvm"
    elif ! (: <>/dev/kvm) 2>/dev/null; then
        echo "/dev/kvm cannot be opened by $(id -un) (is that user in the group kvm?)"
    elif ! grep -qwE '^flags.*(vmx|svm)' /proc/cpuinfo; then
        # Some kernels offer a KVM without; small guests run on it, stock kernels do not.
        echo "the processor has neither VT-x nor SVM"
    fi
}
