#!/bin/bash
# the avro source and sink and avro-client, with Flume's own
#
# Flume's client and its avro sink into our source, and our sink and client into
# Flume's source: plain, deflated, in TLS and both, with 1, 100 and 10000 events
# a request, headers and bodies alike; a full channel is answered as Flume
# answers it, and filled up later; and nothing that was acknowledged is lost when
# each process of a chain of theirs and ours is killed in the middle.
. scripts/peers/lib.sh
. scripts/peers/lib/avro.sh
export LC_ALL=C.UTF-8

fetch flume
declare -A port=() components=()
conf=$work/flume.conf

# component KIND NAME PROPERTY…: configure a source, channel or sink of Flume's.
component() {
	local kind=$1 name=$2
	shift 2
	components[$kind]+=" $name"
	printf '%s\n' "$@" | sed "s,^,a1.$kind.$name.," >>"$conf"
}

# avro_source NAME CHANNELS PROPERTY…: one of Flume's, at ${port[NAME]}.
avro_source() {
	local name=$1 channels=$2
	shift 2
	port[$name]=$(free_port)
	component sources "$name" type=avro bind=127.0.0.1 "port=${port[$name]}" "channels=$channels" "$@"
}

# avro_sink NAME CHANNEL PORT PROPERTY…: one of Flume's.
avro_sink() {
	local name=$1 channel=$2 to=$3
	shift 3
	component sinks "$name" type=avro "channel=$channel" hostname=127.0.0.1 "port=$to" "$@"
}

# configured FILE: what is configured goes to a file.
configured() {
	local kind
	for kind in "${!components[@]}"; do echo "a1.$kind =${components[$kind]}"; done >>"$conf"
	mv "$conf" "$1"
	components=()
}

# ours NAME FLAG…: start an avro source of ours at ${port[NAME]}; its events go
# to $work/NAME.json, or where the flags say.
ours() {
	local name=$1
	shift
	"$bin/fsrc" avro --bind 127.0.0.1 --port "${port[$name]}" --ack=off "$@" \
		>>"$work/$name.json" 2>>"$work/$name.log" </dev/null &
	running[$name]=$!
	until_true 30 "$name listens" listens "${port[$name]}"
}

sizes='1 100 10000'
declare -A title=([plain]=plain [deflate]=deflated [tls]='in TLS' [both]='in TLS, deflated')
declare -A count=([1]=200 [100]=2000 [10000]=20000) # events of a route, by those in a request

# Of the events the first ones are strange. Those with headers have such as
# Java keeps in the same order.
bytes() { for ((i = 0; i < 256; i++)); do printf '%b' "\\x$(printf %x "$i")"; done; }
long=$(printf '%040000d' 7)
{
	echo '{"headers":{},"body":""}'
	echo '{"headers":{"":""},"body":"no name"}'
	echo '{"headers":{"a":"","b":"2","c":"two words"},"body":""}'
	echo '{"headers":{"grün":"žlutý kůň 🐎"},"body":"größer\nzwei"}'
	printf '{"headers":{"k":"v"},"body64":"%s"}\n' "$(bytes | base64 -w 0)"
	printf '{"headers":{"k":"%s"},"body":"%s"}\n' "$long" "$long"
} >"$work/strange.json"
{
	printf '{} \n{=} no name\n{a=, b=2, c=two words} \n{grün=žlutý kůň 🐎} größer\nzwei\n{k=v} '
	bytes
	printf '\n{k=%s} %s\n' "$long" "$long"
} >"$work/strange.text"
for n in $sizes; do
	seq $((count[$n] - 6)) | sed 's/.*/{"headers":{"n":"&"},"body":"event &"}/' | cat "$work/strange.json" - >"$work/$n.json"
	seq $((count[$n] - 6)) | sed 's/.*/{n=&} event &/' | cat "$work/strange.text" - >"$work/$n.text"
done

# Lines for the two clients, with headers from a file.
printf 'a = 1\nb = gr\\u00fcn\nc =\n' >"$work/headers"
for n in $sizes; do
	seq "${count[$n]}" | awk '{ print $1 % 7 ? $1 % 3 ? "line " $1 : "Zeile größer " $1 : "" }' >"$work/$n.lines"
	sed 's/.*/{"headers":{"a":"1","b":"grün","c":""},"body":"&"}/' "$work/$n.lines" >"$work/$n.lines.json"
	sed 's/^/{a=1, b=grün, c=} /' "$work/$n.lines" >"$work/$n.lines.text"
done
# client_file NAME LAYER SIZE: a file with the properties of a client.
client_file() {
	printf '%s\n' hosts=h1 "hosts.h1=127.0.0.1:${port[$1]}" "batch-size=$3" $(client "$2") >"$work/$1.client"
	echo "$work/$1.client"
}
java_client() { timeout 60 java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$(classpath flume)" org.apache.flume.client.avro.AvroCLIClient "$@"; }

# One agent has a source of each kind. What comes there goes to a file, and by a
# sink of the same kind to a source of ours.
memory() { component channels "$1" type=memory "capacity=$2" "transactionCapacity=$3" keep-alive=0; }
for layer in $layers; do
	for n in $sizes; do
		port[ours-$layer-$n]=$(free_port)
		ours "ours-$layer-$n" $(server "$layer" | flags)
		mkdir "$work/$layer-$n"
		for channel in file hop; do memory "$channel-$layer-$n" 30000 10000; done
		avro_source "$layer-$n" "file-$layer-$n hop-$layer-$n" $(server "$layer")
		avro_sink "hop-$layer-$n" "hop-$layer-$n" "${port[ours-$layer-$n]}" "batch-size=$n" $(client "$layer")
		component sinks "file-$layer-$n" type=file_roll "channel=file-$layer-$n" "sink.directory=$work/$layer-$n" \
			sink.rollInterval=0 sink.batchSize=10000 sink.serializer=HEADER_AND_TEXT
	done
done

# And it has a channel that nobody takes from, and two sinks of which one sends
# to that, and the other to such a channel of ours; and a channel that will be
# full until somebody listens where its sink sends to.
memory full 100 100
avro_source full full
start full "$bin/fchan" memory --capacity 100 --keep-alive 0 --listen "unix:$work/full"
await full 'channel memory'
port[ours-full]=$(free_port)
ours ours-full --channel "c1=unix:$work/full"
for to in full ours-full; do
	memory "to-$to" 1000 100
	avro_sink "to-$to" "to-$to" "${port[$to]}"
done
avro_source both-full 'to-full to-ours-full'
memory narrow 100 100
avro_source narrow narrow
port[ours-narrow]=$(free_port)
avro_sink narrow narrow "${port[ours-narrow]}"
configured "$work/matrix.conf"
port[metrics]=$(free_port)
JAVA_TOOL_OPTIONS="-Dflume.monitoring.type=http -Dflume.monitoring.port=${port[metrics]}" flume flume "$work/matrix.conf"

# metric COMPONENT NAME: a counter of the agent's.
metric() {
	exec 3<>"/dev/tcp/127.0.0.1/${port[metrics]}"
	printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
	timeout 10 cat <&3 | grep -o "\"$1\":{[^}]*}" | grep -o "\"$2\":\"[0-9]*\"" | grep -o '[0-9]*'
	exec 3>&-
}
counts() { [ "$(metric "$1" "$2")" -eq "$3" ]; }

# check WHAT WANT GOT: compare files, those of all sizes; @ in their names is the
# size.
check() {
	local n
	for n in $sizes; do (cd "$work" && cat ${2//@/$n}); done >"$work/want"
	for n in $sizes; do (cd "$work" && cat ${3//@/$n}); done >"$work/got"
	same "$1: ${title[$layer]}, ${sizes// /, } events a request" "$work/want" "$work/got"
}

# Flume's client to our source.
for layer in $layers; do
	for n in $sizes; do
		java_client -P "$(client_file "ours-$layer-$n" "$layer" "$n")" -R "$work/headers" -F "$work/$n.lines" >>"$work/java-client-$n.log" 2>&1 &
		running[java-$n]=$!
	done
	for n in $sizes; do
		wait "${running[java-$n]}" || fail "Flume's client: status $?"
		unset "running[java-$n]"
	done
	check "Flume's avro-client to fsrc avro" @.lines.json "ours-$layer-@.json"
	for n in $sizes; do : >"$work/ours-$layer-$n.json"; done
done

# Our sink to Flume's source, and then our client, whose requests are all full;
# and Flume's sink to our source.
until_true 60 'Flume listens' listens "${port[narrow]}"
for layer in $layers; do
	for n in $sizes; do
		timeout 60 "$bin/fsink" avro "127.0.0.1:${port[$layer-$n]}" --batch-size "$n" $(client "$layer" | flags) \
			<"$work/$n.json" >>"$work/fsink.log" 2>&1 || fail "fsink avro, $layer, $n a request: status $?"
	done
done
declare -A requests=() hops=()
for layer in $layers; do
	for n in $sizes; do
		until_true 60 "Flume has passed on all of $layer, $n a request" lines "$work/ours-$layer-$n.json" "${count[$n]}"
		until_true 60 "Flume has written all of $layer, $n a request" counts "SINK.file-$layer-$n" EventDrainSuccessCount "${count[$n]}"
		requests[$layer-$n]=$(metric "SOURCE.$layer-$n" AppendBatchReceivedCount)
		hops[$layer-$n]=$(metric "SINK.hop-$layer-$n" BatchCompleteCount)
		# It fills a request with what is at hand, which is less than 10000 at times.
		[ "${requests[$layer-$n]}" -le $((count[$n] / n + (n == 10000 ? 8 : 0))) ] ||
			fail "fsink avro, $layer, $n a request: ${requests[$layer-$n]} requests"
	done
	check "fsink avro to Flume's source" @.text "$layer-@/*"
done
for layer in $layers; do
	for n in $sizes; do
		timeout 60 "$bin/fctl" avro-client -P "$(client_file "$layer-$n" "$layer" "$n")" -R "$work/headers" -F "$work/$n.lines" \
			>>"$work/fctl.log" 2>&1 || fail "fctl avro-client, $layer, $n a request: status $?"
	done
done
for layer in $layers; do
	for n in $sizes; do
		until_true 60 "Flume has passed on all of $layer, $n a request" lines "$work/ours-$layer-$n.json" $((2 * count[$n]))
		until_true 60 "Flume has written all of $layer, $n a request" counts "SINK.file-$layer-$n" EventDrainSuccessCount $((2 * count[$n]))
		full=$((count[$n] / n))
		counts "SOURCE.$layer-$n" AppendBatchReceivedCount $((requests[$layer-$n] + full)) || fail "fctl avro-client, $layer: not $n events a request"
		counts "SINK.hop-$layer-$n" BatchCompleteCount $((hops[$layer-$n] + full)) || fail "Flume's sink, $layer: not $n events a request"
	done
	check "fctl avro-client to Flume's source" '@.text @.lines.text' "$layer-@/*"
	check "Flume's sink to fsrc avro" '@.json @.lines.json' "ours-$layer-@.json"
done

# A full channel: the same is said of Flume's source and of ours, by Flume's sink
# and by its client; and events come when there is room.
mkdir "$work/room"
numbers() { seq "$1" | sed 's/.*/{"headers":{},"body":"&"}/'; }
numbers 300 | timeout 60 "$bin/fsink" avro "127.0.0.1:${port[both-full]}" >>"$work/fsink.log" 2>&1 || fail "fsink avro: status $?"
refused() { grep -q "port: ${port[$1]} }: .*FAILED" "$work/flume.log"; }
for to in full ours-full; do
	until_true 60 "Flume's sink is refused by $to" refused "$to"
	grep -o "NettyAvroRpcClient { host: localhost, port: ${port[$to]} }: .*" "$work/flume.log" |
		grep -v 'connection error' | sed "s/${port[$to]}/PORT/" | sort -u >"$work/$to.sink"
	echo line | java_client -H 127.0.0.1 -p "${port[$to]}" 2>&1 | grep -v disconnected | sed "s/${port[$to]}/PORT/" >"$work/$to.client"
	grep -q FAILED "$work/$to.client" || fail "Flume's client says nothing of a full $to"
done
same "a full channel: Flume's sink is told what Flume tells it" "$work/full.sink" "$work/ours-full.sink"
same "a full channel: Flume's client is told what Flume tells it" "$work/full.client" "$work/ours-full.client"
status=0
echo line | timeout 60 "$bin/fctl" avro-client -H 127.0.0.1 -p "${port[full]}" >"$work/fctl-full.log" 2>&1 || status=$?
[ "$status" -eq 75 ] && grep -q 'Status: FAILED' "$work/fctl-full.log" || fail "fctl avro-client to a full Flume: status $status"
ok 'a full channel: fctl avro-client says so'
start room "$bin/fsink" file_roll "$work/room" --channel "unix:$work/full" --sink.rollInterval 0
arrived() { [ "$(cat "$work/room"/* | wc -l)" -ge "$1" ]; }
until_true 60 "Flume's sink delivers when there is room" arrived 300
seq 300 >"$work/want"
cat "$work/room"/* >"$work/got"
same "a full channel: Flume's sink delivers when there is room" "$work/want" "$work/got"

numbers 1000 >"$work/1000.json"
"$bin/fsink" avro "127.0.0.1:${port[narrow]}" <"$work/1000.json" >>"$work/narrow.log" 2>&1 &
running[narrow]=$!
await narrow 'Status: FAILED'
ours ours-narrow
until_true 120 'fsink avro delivers when there is room' lines "$work/ours-narrow.json" 1000
ended() { ! alive narrow; }
until_true 30 'fsink avro ends' ended
wait "${running[narrow]}" || fail "fsink avro: status $?"
unset 'running[narrow]'
same 'a full channel: fsink avro delivers when Flume has room' "$work/1000.json" "$work/ours-narrow.json"
for name in "${!running[@]}"; do stop "$name" KILL; done

# A chain: a channel of ours, our sink, a Flume with a file channel, our source,
# and a channel of ours. Flume's channel is small, so that each is busy as long as
# the others are.
all=150000
port[chain-source]=$(free_port)
component channels chain type=file "checkpointDir=$work/checkpoint" "dataDirs=$work/data" capacity=4000 transactionCapacity=1000
avro_source chain chain
avro_sink chain chain "${port[chain-source]}"
configured "$work/chain.conf"
launch() {
	case $1 in
	chain-first | chain-last) start "$1" "$bin/fchan" file "$work/$1" --listen "unix:$work/$1.sock" ;;
	chain-sink) start "$1" "$bin/fsink" avro "127.0.0.1:${port[chain]}" --channel "unix:$work/chain-first.sock" ;;
	chain-flume) flume "$1" "$work/chain.conf" ;;
	chain-source) ours "$1" --channel "c1=unix:$work/chain-last.sock" ;;
	esac
}
launch chain-first
seq "$all" | "$bin/fsrc" stdin --batchSize 100 2>>"$work/put.log" | timeout 120 "$bin/fchan" put "unix:$work/chain-first.sock" >>"$work/put.log" 2>&1
for name in chain-last chain-source chain-flume chain-sink; do launch "$name"; done
"$bin/fsink" stdout --channel "unix:$work/chain-last.sock" >>"$work/arrived" 2>>"$work/taker.log" </dev/null &
running[taker]=$!
share=0
for round in 1 2 3; do
	for name in chain-sink chain-flume chain-source chain-first chain-last; do
		share=$((share + 5))
		until_true 120 "$share% have arrived" lines "$work/arrived" $((all * share / 100))
		stop "$name" KILL
		launch "$name"
	done
done
whole() { [ "$(sort -u "$work/arrived" | wc -l)" -eq "$all" ]; }
whole && fail 'all had arrived before the last kill'
until_true 120 'all have arrived' whole
ok "$all events, each of five processes killed three times: none lost, $(($(wc -l <"$work/arrived") - all)) twice"
