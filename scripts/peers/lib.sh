# What the parts of scripts/interop have in common. A part begins with
#
#	. scripts/peers/lib.sh
#
# and then has $work, a directory that is removed at the end, and the functions
# below. What it starts with start is killed at the end, however that comes.
# shellcheck shell=bash
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/flumekit-interop
work=$(mktemp -d)
bin=$PWD/bin
declare -A running=()
checks=0

finish() {
	status=$?
	trap - EXIT
	for name in "${!running[@]}"; do kill -KILL "${running[$name]}" 2>/dev/null || true; done
	wait 2>/dev/null || true
	if [ "$status" -ne 0 ]; then
		for log in "$work"/*.log; do
			[ -f "$log" ] || continue
			printf -- '-- the end of %s\n' "$(basename "$log")" >&2
			tail -n 15 "$log" >&2
		done
	fi
	if [ -n "${INTEROP_KEEP:-}" ]; then
		printf 'interop: kept %s\n' "$work" >&2
	else
		rm -rf "$work"
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	printf 'interop: %s\n' "$*" >&2
	exit 1
}

# ok WHAT: note that something holds.
ok() {
	checks=$((checks + 1))
	printf 'ok %d %s\n' "$checks" "$*"
}

# fetch NAME [GOAL ARGUMENT…]: have the jars of scripts/peers/NAME.xml, or what
# another goal of Maven's dependency plugin makes of them; their class path is
# $(classpath NAME). Without a way to Maven Central the part ends here: a machine
# that cannot have the peers has nothing to try.
fetch() {
	local pom=scripts/peers/$1.xml dir
	dir=$(dirname "$(classpath "$1")")
	[ -f "$dir/complete" ] && return
	mkdir -p "$cache"
	exec {lock}>"$cache/lock" # parts run side by side
	command -v flock >/dev/null && flock "$lock"
	if ! [ -f "$dir/complete" ]; then
		printf 'fetching %s\n' "$1"
		rm -rf "$dir"
		mkdir -p "$dir"
		if ! mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:"${2:-copy-dependencies}" \
			-DoutputDirectory="$dir" "${@:3}" >"$work/mvn.log" 2>&1; then
			grep -q 'Could not transfer' "$work/mvn.log" || fail "Maven could not fetch $1"
			printf 'skipping the rest: Maven Central cannot be reached for %s\n' "$1"
			exit
		fi
		touch "$dir/complete"
	fi
	exec {lock}>&-
}

classpath() { printf '%s/*' "$cache/$1-$(cksum <"scripts/peers/$1.xml" | cut -d' ' -f1)"; }

# free_port: print a port that nobody listens at, another one each time; parts that
# run side by side begin far from each other.
free_port() {
	local port
	port=$(cat "$work/port" 2>/dev/null || echo $((20000 + $$ * 211 % 12000)))
	while :; do
		port=$((20000 + (port - 19999) % 12000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port" | tee "$work/port"
}

# start NAME COMMAND…: run a command in the background; what it says goes to
# $work/NAME.log.
start() {
	local name=$1
	shift
	"$@" >>"$work/$name.log" 2>&1 </dev/null &
	running[$name]=$!
}

# alive NAME: whether it runs.
alive() { kill -0 "${running[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL]: end what was started, with TERM, and wait until it has.
stop() {
	kill -"${2:-TERM}" "${running[$1]}" 2>/dev/null || true
	wait "${running[$1]}" 2>/dev/null || true
	unset "running[$1]"
}

# until_true SECONDS WHAT COMMAND…: wait until a command succeeds.
until_true() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || fail "waited in vain: $what"
		sleep 0.1
	done
}

# await NAME PATTERN [SECONDS]: wait until what NAME says has a line like that.
await() { until_true "${3:-60}" "$1 says $2" grep -q -- "$2" "$work/$1.log"; }

# listens PORT: whether somebody listens there.
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# lines FILE N: whether a file has that many lines.
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

# same WHAT WANT GOT: compare two files.
same() {
	if ! cmp -s "$2" "$3"; then
		diff "$2" "$3" | head -n 10 >&2 || true
		fail "$1: $(wc -l <"$2") lines were to come, and $(wc -l <"$3") lines came that are not the same"
	fi
	ok "$1"
}

# flume NAME CONF: start a Flume 1.11 agent a1 with a configuration file.
flume() {
	start "$1" java -Xmx256m -Dorg.slf4j.simpleLogger.showDateTime=true \
		-cp "$(classpath flume)" org.apache.flume.node.Application -n a1 -f "$2" --no-reload-conf
}

# sorted_headers: the lines of a header_and_text serializer, with their headers in
# order: what order they have is a matter of Java's hash table.
sorted_headers() {
	awk '{
		end = index($0, "}"); n = split(substr($0, 2, end - 2), h, ", ")
		for (i = 2; i <= n; i++) for (j = i; j > 1 && h[j - 1] > h[j]; j--) { t = h[j]; h[j] = h[j - 1]; h[j - 1] = t }
		line = "{"
		for (i = 1; i <= n; i++) line = line (i > 1 ? ", " : "") h[i]
		print line substr($0, end)
	}'
}
