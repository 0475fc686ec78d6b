#!/bin/bash
# the avro source and sink with those of Flume 1.9, which is older in its TLS
#
# Our sink to a source of Flume 1.9 and its sink to our source: plain, deflated,
# in TLS and both, where 1.9 compresses within TLS. Headers and bodies arrive as
# they were sent.
. scripts/peers/lib.sh
. scripts/peers/lib/avro.sh
export LC_ALL=C.UTF-8

fetch flume-1.9

# Of TLSv1.3, the Netty of 1.9 drops what comes together with a ServerHello.
ssl='ssl=true include-protocols=TLSv1.2'
component() { printf '%s\n' "${@:2}" | sed "s,^,a1.$1.," >>"$work/flume.conf"; }

# What our sinks send comes back to our sources: all through one agent.
declare -A in=() out=()
n=2000
for layer in $layers; do
	in[$layer]=$(free_port)
	out[$layer]=$(free_port)
	start "$layer" "$bin/fsrc" avro --bind 127.0.0.1 --port "${out[$layer]}" --ack=off $(server "$layer" | flags)
	until_true 30 "our source listens, $layer" listens "${out[$layer]}"
	component "sources.$layer" type=avro bind=127.0.0.1 "port=${in[$layer]}" "channels=$layer" $(server "$layer")
	component "channels.$layer" type=memory capacity=10000 transactionCapacity=1000
	component "sinks.$layer" type=avro hostname=127.0.0.1 "port=${out[$layer]}" "channel=$layer" $(client "$layer")
done
for kind in sources channels sinks; do echo "a1.$kind = $layers"; done >>"$work/flume.conf"
start flume java -Xmx256m -cp "$(classpath flume-1.9)" org.apache.flume.node.Application -n a1 -f "$work/flume.conf" --no-reload-conf
seq "$n" | sed 's/.*/{"headers":{"n":"&"},"body":"größer &"}/' >"$work/want"
for layer in $layers; do
	until_true 60 "Flume 1.9 listens, $layer" listens "${in[$layer]}"
	timeout 60 "$bin/fsink" avro "127.0.0.1:${in[$layer]}" --compression-order inside $(client "$layer" | flags) \
		<"$work/want" >>"$work/fsink.log" 2>&1 || fail "fsink avro, $layer: status $?"
	until_true 60 "Flume 1.9 has passed on all, $layer" lines "$work/$layer.log" "$n"
	same "fsink avro to Flume 1.9, and that to fsrc avro: $layer" "$work/want" "$work/$layer.log"
done
