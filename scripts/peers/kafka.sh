#!/bin/bash
# the Kafka channel, with a broker (KRaft) and with Flume's own Kafka channel
#
# What ours puts, a Flume takes, and the other way round, headers and bodies
# alike, with parseAsFlumeEvent true and false; and nothing that was acknowledged
# is lost when the broker is killed in the middle of puts and takes.
. scripts/peers/lib.sh

fetch kafka
fetch flume
port=$(free_port)
controller=$(free_port)
at=127.0.0.1:$port
cat >"$work/broker.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/broker
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
END

broker() {
	start broker java -Xmx512m -cp "$(classpath kafka)" kafka.Kafka "$work/broker.properties"
	until_true 60 'the broker listens' listens "$port"
}

java -cp "$(classpath kafka)" kafka.tools.StorageTool format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c1-22)" \
	-c "$work/broker.properties" >"$work/format.log" 2>&1
broker

# channel NAME TOPIC PROPERTY…: start a channel of ours at unix:$work/NAME.
channel() {
	local name=$1 topic=$2
	shift 2
	start "$name" "$bin/fchan" kafka "$at/$topic" --listen "unix:$work/$name" "$@"
	await "$name" 'channel kafka:'
}

# Each event has one header: with raw bodies only the key is kept.
events() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
		if (i % 2) printf "{\"headers\":{\"key\":\"k%d\"},\"body\":\"body %d\"}\n", i, i
		else printf "{\"headers\":{\"n\":\"%d\"},\"body\":\"body %d\"}\n", i, i }'
}

for avro in true false; do
	# ours puts, Flume takes
	topic=ours-$avro
	channel "put-$avro" "$topic" --parseAsFlumeEvent="$avro"
	events 2000 | "$bin/fchan" put "unix:$work/put-$avro" >>"$work/put.log" 2>&1
	stop "put-$avro"
	mkdir "$work/out-$avro"
	cat >"$work/take-$avro.conf" <<END
a1.channels = c1
a1.sinks = k1
a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c1.kafka.bootstrap.servers = $at
a1.channels.c1.kafka.topic = $topic
a1.channels.c1.parseAsFlumeEvent = $avro
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out-$avro
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
END
	flume "flume-takes-$avro" "$work/take-$avro.conf"
	all() { cat "$work/out-$avro"/* 2>/dev/null | wc -l | grep -qx 2000; }
	until_true 60 'Flume has taken all' all
	stop "flume-takes-$avro"
	cat "$work/out-$avro"/* >"$work/got"
	if [ "$avro" = true ]; then
		events 2000 | sed 's/{"headers":{"\(.*\)":"\(.*\)"},"body":"\(.*\)"}/{\1=\2} \3/' >"$work/want"
	else
		events 2000 | sed 's/{"headers":{"\(.*\)":"\(.*\)"},"body":"\(.*\)"}/{\1=\2} \3/; s/^{n=[0-9]*}/{}/' >"$work/want"
	fi
	same "Flume takes what ours put, parseAsFlumeEvent=$avro" "$work/want" "$work/got"

	# Flume puts, ours takes
	topic=theirs-$avro
	netcat=$(free_port)
	cat >"$work/put-$avro.conf" <<END
a1.sources = r1
a1.channels = c1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $netcat
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = $([ "$avro" = true ] && echo colour || echo key)
a1.sources.r1.interceptors.i1.value = grün
a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel
a1.channels.c1.kafka.bootstrap.servers = $at
a1.channels.c1.kafka.topic = $topic
a1.channels.c1.parseAsFlumeEvent = $avro
END
	flume "flume-puts-$avro" "$work/put-$avro.conf"
	until_true 60 'Flume listens' listens "$netcat"
	exec 3<>"/dev/tcp/127.0.0.1/$netcat"
	seq 500 | sed 's/^/line /' >&3
	for ((i = 0; i < 500; i++)); do read -r -t 30 answer <&3; [ "$answer" = OK ] || fail "Flume answers $answer"; done
	exec 3>&-
	stop "flume-puts-$avro"
	channel "take-$avro" "$topic" --parseAsFlumeEvent="$avro"
	timeout 60 "$bin/fchan" take "unix:$work/take-$avro" --once >"$work/got" 2>>"$work/take.log"
	stop "take-$avro"
	header=$([ "$avro" = true ] && echo colour || echo key)
	# Flume reads its configuration as ISO-8859-1, as Java's properties are.
	seq 500 | sed "s/.*/{\"headers\":{\"$header\":\"gr\\xc3\\x83\\xc2\\xbcn\"},\"body\":\"line &\"}/" >"$work/want"
	same "ours takes what Flume put, parseAsFlumeEvent=$avro" "$work/want" "$work/got"
done

# One configuration, whichever program runs it: Flume's agent and ours are
# members of one group and share the topic's partitions, while one comes and the
# other goes.
sed -i 's/^num.partitions=.*/num.partitions=4/' "$work/broker.properties"
stop broker
broker
topic=shared
channel shared "$topic"
for who in theirs ours; do
	mkdir "$work/out-$who"
	sed -e "s/ours-true/$topic/; s,out-true,out-$who,; /serializer/d" "$work/take-true.conf" >"$work/shared-$who.conf"
done
feed() { seq "$1" "$2" | "$bin/fchan" put "unix:$work/shared" >>"$work/put.log" 2>&1; }
taken() { cat "$work/out-$1"/* 2>/dev/null | sort -un; }
reaches() { [ "$(sort -un <(taken theirs) <(taken ours) | wc -l)" -eq "$1" ]; }
flume shared-theirs "$work/shared-theirs.conf"
feed 1 2000
until_true 60 'Flume has taken the first 2000' reaches 2000
start agent "$bin/fctl" agent -n a1 -f "$work/shared-ours.conf"
both() {
	feed $((top + 1)) $((top + 200)) && top=$((top + 200))
	[ "$(taken ours | wc -l)" -gt 0 ]
}
top=2000
until_true 60 'our agent has some of the partitions' both
until_true 60 'both have taken all' reaches "$top"
stop shared-theirs
feed $((top + 1)) $((top + 2000))
until_true 60 'our agent has taken the rest' reaches $((top + 2000))
stop agent
stop shared
twice=$(($(cat "$work/out-ours"/* "$work/out-theirs"/* | wc -l) - top - 2000))
ok "a Flume agent and ours share $((top + 2000)) events: none lost, $twice twice"

# The broker is killed in the middle.
sed -i 's/^num.partitions=.*/num.partitions=1/' "$work/broker.properties"
stop broker
broker
channel killed killed
: >"$work/taken"
"$bin/fchan" take "unix:$work/killed" >"$work/taken" 2>>"$work/take.log" &
running[take]=$!
all=300000
seq "$all" | timeout 120 "$bin/fchan" put "unix:$work/killed" >"$work/put-killed.log" 2>&1 &
running[putter]=$!
for share in 10 40 70; do
	until_true 60 "$share% is taken" lines "$work/taken" $((all * share / 100))
	stop broker KILL
	broker
done
wait "${running[putter]}" || fail 'the put failed'
unset 'running[putter]'
whole() { [ "$(grep -o '"body":"[0-9]*"' "$work/taken" | sort -u | wc -l)" -eq "$all" ]; }
until_true 60 'all is taken' whole
stop take
stop killed
ok "$all events, the broker killed three times: none lost, $(($(wc -l <"$work/taken") - all)) twice"
