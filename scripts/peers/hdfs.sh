#!/bin/bash
# the hdfs sink, with a name node and a data node, read by Hadoop's own shell
#
# Hadoop reads every type of file with every codec; and nothing that was
# acknowledged is lost, and no file left in use, when the data node or the sink
# is killed in the middle. A Flume with the same configuration writes the same,
# and appends the same to what is there.
. scripts/peers/lib.sh
. scripts/peers/lib/hdfs.sh

start_hdfs dfs.permissions.enabled=true

codecs=(none gzip bzip2 snappy lz4 default deflate)
if load_native; then
	codecs+=(zstd)
else
	echo "skipping zstd: there is no native library of Hadoop's for $(uname -sm)"
fi

# Every type of file, read by Hadoop.
seq 3000 | sed 's/.*/line & äöü/' >"$work/lines"
types() {
	for codec in "${codecs[@]}"; do
		for format in Writable Text; do
			echo "SequenceFile $codec $format block"
			echo "SequenceFile $codec $format record"
		done
		[ "$codec" = none ] || echo "CompressedStream $codec Writable block"
	done
	echo 'DataStream - Writable block'
}
: >"$work/want"
dirs=()
while read -r type codec format compression; do
	dir=/types/$type-$codec-$format-$compression
	dirs+=("$dir/*")
	flags=(--hdfs.fileType="$type" --hdfs.writeFormat="$format" --compression-type="$compression" --hdfs.rollCount=1000 --hdfs.rollSize=0)
	[ "$codec" = - ] || flags+=(--hdfs.codeC="$codec")
	"$bin/fsink" hdfs "$dir" "${flags[@]}" <"$work/lines" >>"$work/types.log" 2>&1 || fail "fsink cannot write $dir"
	# BytesWritable prints as hexadecimal digits
	if [ "$type-$format" = SequenceFile-Writable ]; then
		while read -r line; do printf '%s' "$line" | od -An -v -tx1 | tr -d '\n' | cut -c2-; done < <(sed -n '1,3p;2999,3000p' "$work/lines")
	else
		sed -n '1,3p;2999,3000p' "$work/lines"
	fi >>"$work/want"
done < <(types)
shell -text "${dirs[@]}" | sed 's/^[0-9]*\t//' | awk '{ n = (NR - 1) % 3000 + 1 } n <= 3 || n >= 2999' >"$work/got"
same "Hadoop reads ${#dirs[@]} types of files" "$work/want" "$work/got"

# Who may not write is told as whom.
stranger() { HADOOP_USER_NAME=stranger exec "$bin/fsink" hdfs /forbidden <<<'line'; }
start stranger stranger
await stranger 'permission denied for user stranger'
stop stranger
ok 'the user who may not write is named'

# agent WHO TITLE PROPERTY=VALUE…: start a Flume, or ours, that writes what $netcat
# takes to /TITLE-WHO with those properties; say has it take lines.
agent() {
	local who=$1 title=$2 property key value
	netcat=$(free_port)
	{
		cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $netcat
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = static
a1.sources.r1.interceptors.i1.key = colour
a1.sources.r1.interceptors.i1.value = green
a1.sources.r1.interceptors.i2.type = static
a1.sources.r1.interceptors.i2.key = timestamp
a1.sources.r1.interceptors.i2.value = 1331614800123
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c1.transactionCapacity = 100
a1.sinks.k1.type = hdfs
a1.sinks.k1.channel = c1
a1.sinks.k1.hdfs.rollInterval = 0
a1.sinks.k1.hdfs.rollSize = 0
a1.sinks.k1.hdfs.rollCount = 70
END
		for property in hdfs.path= "${@:3}"; do
			key=${property%%=*} value=${property#*=}
			[ "$key" = hdfs.path ] && value=$hdfs/$title-$who/$value
			echo "a1.sinks.k1.$key = ${value%/}"
		done
	} | awk -F ' = ' '{ if (!($1 in at)) { at[$1] = ++n }; line[at[$1]] = $0 } END { for (i = 1; i <= n; i++) print line[i] }' >"$work/$title-$who.conf"
	if [ "$who" = ours ]; then
		start "$title-$who" "$bin/fctl" agent -n a1 -f "$work/$title-$who.conf"
	else
		flume_with_hadoop "$title-$who" "$work/$title-$who.conf"
	fi
	until_true 180 "$title-$who listens" listens "$netcat"
}
say() {
	local answer n=0
	exec 3<>"/dev/tcp/127.0.0.1/$netcat"
	tee "$work/said" >&3
	while [ "$((n += 1))" -le "$(wc -l <"$work/said")" ]; do
		read -r -t 30 answer <&3
		[ "$answer" = OK ] || fail "the agent answers $answer"
	done
	exec 3>&-
}
# has DIRECTORY N: whether there are so many files below.
has() { [ "$(shell -ls -R "$1" | grep -c '^-')" = "$2" ]; }

# The same configuration, by Flume and by ours, and the same input: the files'
# names, less the time, and what is in them.
fetch flume
configurations() {
	echo 'sequence hdfs.fileType=SequenceFile hdfs.writeFormat=Text'
	echo 'lines hdfs.fileType=DataStream serializer=header_and_text hdfs.fileSuffix=.log hdfs.path=%{colour}/%Y'
	echo 'gzip hdfs.fileType=CompressedStream hdfs.codeC=gzip hdfs.filePrefix=p-%{colour}'
	echo 'avro hdfs.fileType=DataStream serializer=avro_event hdfs.fileSuffix=.avro serializer.compressionCodec=deflate'
	# shellcheck disable=SC2016 # that is a class's name
	echo 'datum hdfs.fileType=DataStream serializer=org.apache.flume.sink.hdfs.AvroEventSerializer$Builder hdfs.fileSuffix=.avro' \
		"serializer.schemaURL=$hdfs/schema.avsc"
	[ -z "$native" ] || echo 'zstd hdfs.fileType=CompressedStream hdfs.codeC=ZStandardCodec'
	[ -z "$native" ] || echo 'zstd-sequence hdfs.codeC=zstandard hdfs.writeFormat=Text'
}
echo '"string"' | shell -put - /schema.avsc
while read -r title properties; do
	for who in theirs ours; do
		# shellcheck disable=SC2086 # they are several
		agent "$who" "$title" $properties
		seq -f $'\022line %04g' 500 | say # with its length before it a line is an Avro datum as well
		until_true 180 "$title-$who has begun its last file" has "/$title-$who" 8
		stop "$title-$who"
		shell -ls -R "/$title-$who" | awk '/^-/ { print $NF }' | sort >"$work/paths"
		first=$(sed -n '1s/.*\.\([0-9]\{13\}\).*/\1/p' "$work/paths")
		{
			while read -r path; do
				number=$(sed 's/.*\.\([0-9]\{13\}\).*/\1/' <<<"$path")
				sed "s/$number/$((number - first + 1))/; s,$title-$who,$title," <<<"$path"
			done <"$work/paths"
			# shellcheck disable=SC2046 # they are several
			shell -text $(cat "$work/paths") </dev/null
		} >"$work/$who"
	done
	same "Flume and ours write the same: $title" "$work/theirs" "$work/ours"
done < <(configurations)

# A file that is there already is appended to, where hdfs.append.support says so:
# the third after the one that is in use.
sed -i 's,<configuration>,&<property><name>hdfs.append.support</name><value>true</value></property>,' "$work/conf/core-site.xml"
for suffix in '' .gz; do
	properties=(hdfs.rollCount=1 hdfs.fileType=DataStream)
	[ -z "$suffix" ] || properties=(hdfs.rollCount=1 hdfs.fileType=CompressedStream hdfs.codeC=gzip)
	for who in theirs ours; do
		title=append$suffix
		agent "$who" "$title" "${properties[@]}"
		echo 'line 1' | say
		until_true 180 "$title-$who has begun a file" has "/$title-$who" 1
		first=$(shell -ls "/$title-$who" | sed -n 's/.*FlumeData\.\([0-9]*\).*/\1/p')
		old=FlumeData.$((first + 3))$suffix.tmp
		seq 300 | sed 's/^/old /' >"$work/old"
		[ -z "$suffix" ] || { gzip -c "$work/old" >"$work/old.gz" && mv "$work/old.gz" "$work/old"; }
		shell -put "$work/old" "/$title-$who/$old" || fail "$old cannot be put"
		seq 2 6 | sed 's/^/line /' | say
		until_true 180 "$title-$who has begun its last file" has "/$title-$who" 6
		stop "$title-$who"
		for ((n = 0; n < 6; n++)); do
			echo "FlumeData.$n"
			shell -text "/$title-$who/FlumeData.$((first + n))$suffix"
		done >"$work/$who"
	done
	grep -q 'old 300' "$work/ours" || fail "$title: what was there is gone"
	same "Flume and ours append the same: $title" "$work/theirs" "$work/ours"
done
sed -i 's,<property><name>hdfs.append.support</name>.*</property><property><name>fs.defaultFS,<property><name>fs.defaultFS,' "$work/conf/core-site.xml"

# Killed in the middle: the data node, then the sink.
start channel "$bin/fchan" file "$work/channel" --listen "unix:$work/c" --capacity 1000000
await channel 'channel file '
sink() {
	start sink "$bin/fsink" hdfs '/killed/%{part}' --channel "unix:$work/c" --hdfs.fileType=DataStream \
		--hdfs.rollCount=50000 --hdfs.rollSize=0 --hdfs.rollInterval=10 --hdfs.batchSize=100 --hdfs.retryInterval=2
}
all=300000
awk -v n="$all" 'BEGIN { for (i = 1; i <= n; i++) printf "{\"headers\":{\"part\":\"%d\"},\"body\":\"event-%d\"}\n", i % 3, i }' >"$work/events"
head -n "$((all / 2))" "$work/events" | "$bin/fchan" put "unix:$work/c" >>"$work/put.log" 2>&1
bytes() { [ "$(du -sb "$work/data" | cut -f1)" -ge $(($1 + before)) ]; }
before=$(du -sb "$work/data" | cut -f1)
sink
until_true 180 'the sink has written a little' bytes 400000
stop data KILL
await sink 'Unable to deliver event'
data_node
await sink 'ends with what was delivered' 180
before=$(du -sb "$work/data" | cut -f1)
tail -n "$((all / 2))" "$work/events" | "$bin/fchan" put "unix:$work/c" >>"$work/put.log" 2>&1 &
running[put]=$!
until_true 180 'the sink writes again' bytes 400000
stop sink KILL
sink
wait "${running[put]}"
unset 'running[put]'
# The next sink sees at once that the killed one is gone, and has the name node
# recover its files: that takes a heartbeat or two.
# The batch that the killed sink was writing may be there in part, and end within a
# line, which has no newline then. It is there again, whole.
none_in_use() { shell -ls '/killed/*' >"$work/list" && ! grep -q '\.tmp$' "$work/list"; }
complete() {
	none_in_use || return
	rm -rf "$work/killed"
	shell -get /killed "$work/killed" || return
	for file in "$work"/killed/*/*; do head -n "$(wc -l <"$file")" "$file"; done >"$work/all"
	sort -u "$work/all" >"$work/got"
	lines "$work/got" "$all"
}
until_true 180 'all has come, and no file is left in use' complete
sed 's/.*"body":"\(.*\)"}/\1/' "$work/events" | sort >"$work/want"
same "$all events, the data node and the sink killed: none lost, no file left in use, $(($(wc -l <"$work/all") - all)) twice" "$work/want" "$work/got"
stop sink
stop channel
