#!/bin/bash
# agents of two tiers, syslog to avro and avro to HDFS, ours and Flume's mixed
#
# The same two files of Flume, run by Flume and by fctl agent in all four ways,
# bring the same lines to the same files of an HDFS, headers included. Where the
# tiers are mixed, each is killed in the middle of 50,000 lines and started again:
# nothing that was in a file channel is lost.
. scripts/peers/lib.sh
. scripts/peers/lib/hdfs.sh
export TZ=UTC LC_ALL=C.UTF-8

fetch flume
start_hdfs

# first PORT NEXT CHANNEL: the file of the first tier; CHANNEL is its channel's
# properties, with commas between.
first() {
	cat <<-END
		a1.sources = r1
		a1.channels = c1
		a1.sinks = k1
		a1.sources.r1.type = syslogtcp
		a1.sources.r1.host = 127.0.0.1
		a1.sources.r1.port = $1
		a1.sources.r1.channels = c1
		a1.sinks.k1.type = avro
		a1.sinks.k1.hostname = 127.0.0.1
		a1.sinks.k1.port = $2
		a1.sinks.k1.channel = c1
	END
	tr , '\n' <<<"$3" | sed 's/^/a1.channels.c1./'
}

# second PORT DIR PATH ROLL: the file of the second tier. What comes goes to PATH
# of the HDFS twice: as bodies, and with headers.
second() {
	cat <<-END
		a1.sources = r1
		a1.channels = c1 c2
		a1.sinks = k1 k2
		a1.sources.r1.type = avro
		a1.sources.r1.bind = 127.0.0.1
		a1.sources.r1.port = $1
		a1.sources.r1.channels = c1 c2
		a1.sinks.k1.hdfs.path = $hdfs$3/bodies/%{host}/%Y-%m-%d/%H
		a1.sinks.k2.hdfs.path = $hdfs$3/headers/%{host}/%Y-%m-%d/%H
		a1.sinks.k2.hdfs.filePrefix = %{Facility}-%{Severity}
		a1.sinks.k2.hdfs.fileSuffix = .log
		a1.sinks.k2.serializer = header_and_text
	END
	for n in 1 2; do
		cat <<-END
			a1.channels.c$n.type = file
			a1.channels.c$n.checkpointDir = $2/checkpoint$n
			a1.channels.c$n.dataDirs = $2/data$n
			a1.sinks.k$n.type = hdfs
			a1.sinks.k$n.channel = c$n
			a1.sinks.k$n.hdfs.fileType = DataStream
			a1.sinks.k$n.hdfs.rollInterval = 0
			a1.sinks.k$n.hdfs.rollSize = 0
			a1.sinks.k$n.hdfs.rollCount = $4
		END
	done
}

# agent NAME WHO: run $work/NAME.conf, by Flume or by ours.
agent() {
	case $2 in
	ours) start "$1" "$bin/fctl" agent -n a1 -f "$work/$1.conf" ;;
	theirs) flume_with_hadoop "$1" "$work/$1.conf" ;;
	esac
}

# send PORT FILE: send lines to a source, over one connection.
send() { timeout 300 cat "$2" >"/dev/tcp/127.0.0.1/$1"; }

# got PATH: have what lies under PATH of the HDFS in $work/got; a file that is in
# use is read as far as it goes.
got() {
	rm -rf "$work/got"
	shell -get "$1" "$work/got"
}

# Both forms of syslog, for two hosts and two hours each. Each form has its own
# connection: on one, Flume gives a message without a version that of the message
# before it.
n=2000
awk -v n=$n 'BEGIN { for (i = 0; i < n; i++) printf "<13>Oct 11 %d:14:15 old%d app[7]: line %d grün\n", 22 + int(i / 2) % 2, i % 2, i }' >"$work/old"
awk -v n=$n 'BEGIN { for (i = 0; i < n; i++) printf "<165>1 2003-10-11T%d:14:15.%03dZ new%d app 7 id [x@1 a=\"b\"] line %d\n", 22 + int(i / 2) % 2, i % 1000, i % 2, i }' >"$work/new"
declare -A port=()
for one in ours theirs; do
	for two in ours theirs; do
		pair=$one-$two
		port[$pair]=$(free_port)
		next=$(free_port)
		first "${port[$pair]}" "$next" type=memory,capacity=10000 >"$work/$pair-1.conf"
		second "$next" "$work/$pair-2" "/same/$pair" 300 >"$work/$pair-2.conf"
		agent "$pair-2" "$two"
		agent "$pair-1" "$one"
	done
done
for pair in "${!port[@]}"; do
	until_true 300 "the first tier of $pair listens" listens "${port[$pair]}"
	send "${port[$pair]}" "$work/old"
	send "${port[$pair]}" "$work/new"
done
all_come() {
	got /same
	for pair in "${!port[@]}"; do
		for kind in bodies headers; do
			[ "$(find "$work/got/$pair/$kind" -type f -exec cat {} + | wc -l)" -ge $((2 * n)) ] || return
		done
	done
}
until_true 300 'all lines lie in the HDFS' all_come
for pair in "${!port[@]}"; do
	stop "$pair-1"
	stop "$pair-2"
done

# files DIR: the files' names, with 1, 2… for the numbers, and their lines.
files() {
	local file dir= i
	for file in $(cd "$1" && find . -type f | sort); do
		[ "${file%/*}" = "$dir" ] || i=0
		dir=${file%/*}
		i=$((i + 1))
		sed "s/\.[0-9]\{13\}/.$i/" <<<"$file"
		case $dir in
		./headers/*) sorted_headers <"$1/$file" ;;
		*) cat "$1/$file" ;;
		esac
	done
}
got /same
files "$work/got/theirs-theirs" >"$work/want"
for pair in ours-ours ours-theirs theirs-ours; do
	files "$work/got/$pair" >"$work/$pair"
	same "Flume to Flume, and ${pair/-/ to }: the same files" "$work/want" "$work/$pair"
done

# has WHO DIR N: whether N lines have come to the file channel of DIR. The lines
# lie in Flume's logs as they are; when one is there, those before it are
# committed.
has() {
	case $1 in
	ours) [ "$("$bin/fchan" stat "$2" --json | sed 's/.*"put":{"events":\([0-9]*\).*/\1/')" -ge "$3" ] ;;
	theirs) grep -aqs "line-$(printf %05d "$3")" "$2"/log-* ;;
	esac
}

# murder NAME WHO: kill an agent, and see the processes of ours end with it.
murder() {
	local children
	children=$(grep -ls "^PPid:	${running[$1]}$" /proc/[0-9]*/status || true)
	[ "$2" = theirs ] || [ "$(wc -w <<<"$children")" -ge 3 ] || fail "$1 does not have a process for each component"
	stop "$1" KILL
	dead() { ! grep -qs '^State:	[^Z]' $children; }
	[ -z "$children" ] || until_true 30 "the processes of $1 end with it" dead
}

# Tier two is killed while it takes lines in, and tier one while it passes them on.
# A line more is sent, to know by it that the others are committed.
all=50000
awk -v n=$((all + 1)) 'BEGIN { for (i = 1; i <= n; i++) printf "<165>1 2003-10-11T22:14:15Z new app - - - line-%05d\n", i }' >"$work/lines"
seq -f 'app - - - line-%05.0f' $all >"$work/bodies"
sed 's/^/{Facility=20, Severity=5, host=new, priority=165, timestamp=1065910455000, version=1} /' "$work/bodies" >"$work/headers"
for pair in ours-theirs theirs-ours; do
	one=${pair%-*} two=${pair#*-} dir=$work/killed-$pair
	in=$(free_port) next=$(free_port)
	first "$in" "$next" "type=file,checkpointDir=$dir/checkpoint,dataDirs=$dir/data,fsyncPerTransaction=false" >"$dir-1.conf"
	second "$next" "$dir" "/killed/$pair" 10000 >"$dir-2.conf"
	mkdir "$dir"
	agent "killed-$pair-2" "$two"
	agent "killed-$pair-1" "$one"
	until_true 300 "the second tier of $pair listens" listens "$next"
	until_true 300 "the first tier of $pair listens" listens "$in"
	send "$in" "$work/lines" &
	until_true 300 "the second tier of $pair has some lines" has "$two" "$dir/data1" 15000
	murder "killed-$pair-2" "$two"
	wait $! || fail "$pair: not all lines could be sent"
	until_true 300 "the first tier of $pair has all lines" has "$one" "$dir/data" $((all + 1))
	agent "killed-$pair-2" "$two"
	until_true 300 "the second tier of $pair has more lines" has "$two" "$dir/data1" 30000
	murder "killed-$pair-1" "$one"
	agent "killed-$pair-1" "$one"
	# A line that was broken off with its writer is no line.
	come() {
		got "/killed/$pair"
		for kind in bodies headers; do
			find "$work/got/$kind" -type f -exec awk 1 {} + >"$work/$kind-come"
		done
		grep -x 'app - - - line-.....' "$work/bodies-come" | sort >"$work/bodies-all"
		grep -x '{.*} app - - - line-.....' "$work/headers-come" | sorted_headers | sort >"$work/headers-all"
		for kind in bodies headers; do
			grep -v "line-$((all + 1))\$" "$work/$kind-all" | sort -u >"$work/$kind-got"
			lines "$work/$kind-got" "$all" || return
		done
	}
	until_true 300 "all lines of $pair lie in the HDFS" come
	for kind in bodies headers; do
		same "${pair/-/ to }, both killed: $kind of $all lines, $(($(grep -vc "line-$((all + 1))\$" "$work/$kind-all") - all)) twice" "$work/$kind" "$work/$kind-got"
	done
	stop "killed-$pair-1"
	stop "killed-$pair-2"
done
