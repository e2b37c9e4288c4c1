#!/bin/sh
# The broker at work behind its filter of system calls: sh tests/e2e/sandbox.sh BUILD_DIR
# The filter is on, and refuses nothing of what the other tests ask of the broker.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
command -v strace >/dev/null || { echo "no strace here"; exit 77; }

printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24}\n' >"$dir/config.yaml"
start_broker "$dir/config.yaml"
if grep -q 'without a filter' "$dir/broker.log"; then
	cat "$dir/broker.log"
	exit 77
fi
for line in 'Seccomp:.2' 'NoNewPrivs:.1'; do
	grep -q "^$line\$" "/proc/$broker_pid/status" || fail "its status has no $line"
done
kill "$broker_pid"
expect_end "$broker_pid" 10 0 "the broker"

# The broker keeps its own process number, and the tracer is a grandchild's.
cat >"$dir/traced" <<EOT
#!/bin/sh
exec strace -D -q -o "$dir/trace.\$\$" "$zoetroped" "\$@"
EOT
chmod +x "$dir/traced"
ZOETROPED=$dir/traced ZOETROPE_ROUNDS=5 ZOETROPE_ACTS=1000
export ZOETROPED ZOETROPE_ROUNDS ZOETROPE_ACTS
for program in "$build"/tests/e2e/e2e_*; do
	[ -x "$program" ] && [ ! -d "$program" ] || continue
	case ${program##*/} in
	# long, about time, or tracers themselves; the broker does in them what it does in the others
	e2e_broker_death | e2e_stall | e2e_kill | e2e_hostile | e2e_service | e2e_reliable) continue ;;
	esac
	timeout 100 "$program" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "${program##*/}"; }
done

brokers=$(cat "$dir"/trace.* | grep -c 'ready on')
[ "$brokers" -ge 10 ] || fail "only $brokers brokers were traced"
! grep -hE 'ENOSYS|SIGSYS' "$dir"/trace.* || fail "the filter refuses what the broker needs"
verdict
