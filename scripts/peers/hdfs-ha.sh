#!/bin/bash
# the hdfs sink, with a name service of two name nodes that take turns
#
# Events go to the name service by its name while the active name node hands over
# to the other, and while that one is killed: nothing that was acknowledged is
# lost, and no file is left in use.
. scripts/peers/lib.sh
. scripts/peers/lib/hdfs.sh

hdfs=hdfs://cluster
ports=([1]="$(free_port)" [2]="$(free_port)")
service=(
	dfs.nameservices=cluster
	dfs.ha.namenodes.cluster=nn1,nn2
	dfs.namenode.shared.edits.dir="file://$work/shared"
	dfs.client.failover.proxy.provider.cluster=org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
	'dfs.ha.fencing.methods=shell(true)'
	dfs.ha.tail-edits.period=1
)
for n in 1 2; do
	service+=(
		"dfs.namenode.rpc-address.cluster.nn$n=127.0.0.1:${ports[n]}"
		"dfs.namenode.http-address.cluster.nn$n=127.0.0.1:$(free_port)"
		"dfs.namenode.name.dir.cluster.nn$n=$work/name$n"
	)
done
configure_hdfs "${service[@]}"
hadoop org.apache.hadoop.hdfs.server.namenode.NameNode -Ddfs.ha.namenode.id=nn1 -format -nonInteractive >"$work/format.log" 2>&1
cp -r "$work/name1" "$work/name2"
for n in 1 2; do name_node "name$n" -Ddfs.ha.namenode.id="nn$n"; done
for n in 1 2; do until_true 180 "name node $n listens" listens "${ports[n]}"; done
data_node
admin() { hadoop org.apache.hadoop.hdfs.tools.DFSHAAdmin "$@" >>"$work/admin.log" 2>&1; }
admin -transitionToActive nn1
hdfs_takes_files

start channel "$bin/fchan" file "$work/channel" --listen "unix:$work/c" --capacity 1000000
await channel 'channel file '
start sink "$bin/fsink" hdfs '/out/%{part}' --channel "unix:$work/c" --hdfs.fileType=DataStream \
	--hdfs.rollCount=2000 --hdfs.rollSize=0 --hdfs.rollInterval=5 --hdfs.batchSize=100 --hdfs.retryInterval=2

# Events keep coming, a thousand at a time, for as long as a sender's file is there.
touch "$work/sending"
send() {
	local chunk
	for ((chunk = 0; ; chunk++)); do
		[ -e "$work/sending" ] || return 0
		seq "$((chunk * 1000 + 1))" "$(((chunk + 1) * 1000))" | awk '{ printf "{\"headers\":{\"part\":\"%d\"},\"body\":\"event-%d\"}\n", $1 % 3, $1 }' |
			"$bin/fchan" put "unix:$work/c" || return
		echo "$(((chunk + 1) * 1000))" >>"$work/sent"
	done
}
start send send
sent() { [ "$(tail -n 1 "$work/sent")" -ge "$1" ]; }
more() { until_true 180 'more events are sent' sent "$(($(tail -n 1 "$work/sent") + 5000))"; }
until_true 180 'events are sent' sent 5000
admin -failover nn1 nn2 || fail 'the first name node does not hand over'
more
stop name2 KILL
more
admin -failover --forcefence nn2 nn1 || fail 'the first name node does not take over'
more
rm "$work/sending"
wait "${running[send]}" || fail 'events cannot be sent'
unset 'running[send]'

all=$(tail -n 1 "$work/sent")
none_in_use() { shell -ls '/out/*' >"$work/list" && ! grep -q '\.tmp$' "$work/list"; }
complete() {
	none_in_use || return
	shell -cat '/out/*/*' >"$work/all"
	sort -u "$work/all" >"$work/got"
	lines "$work/got" "$all"
}
until_true 180 'all has come, and no file is left in use' complete
seq "$all" | sed 's/^/event-/' | sort >"$work/want"
same "$all events, the name nodes taking turns and one killed: none lost, no file left in use, $(($(wc -l <"$work/all") - all)) twice" "$work/want" "$work/got"
stop sink
stop channel
