#!/bin/sh
# make.sh: makes the channels in ../*.tar.gz anew, with Flume 1.11.0 from Maven
# Central. Needs JDK 17 and mvn. Each holds the channel as it was when Flume was
# killed, its properties, and want: the events that Flume delivers from a copy.
set -eu
cd "$(dirname "$0")"
work=${1:-$(mktemp -d)}
mkdir -p "$work/lib" "$work/classes"
if [ ! -e "$work/lib/flume-file-channel-1.11.0.jar" ]; then
	mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$work/lib"
fi
javac -nowarn -cp "$work/lib/*" -d "$work/classes" MakeChannel.java
run() {
	java -Xmx256m -cp "$work/classes:$work/lib/*" org.apache.flume.channel.file.MakeChannel "$@" 2>>"$work/log"
}
states=${STATES:-$(sed -n 's/^  static void \([a-z0-9]*\)() throws.*{ \/\/ state$/\1/p' MakeChannel.java)}
for state in $states; do
	dir=$work/$state
	rm -rf "$dir" "$dir.copy"
	mkdir -p "$dir"
	if [ "$state" = encrypted ]; then
		S="-storetype JCEKS -keystore $dir/keys.jceks -storepass storePassword -noprompt"
		keytool -genseckey -alias key-1 -keyalg AES -keysize 128 $S -keypass keyPassword1 2>/dev/null
		keytool -genseckey -alias key-2 -keyalg AES -keysize 256 $S 2>/dev/null </dev/null
		printf storePassword >"$dir/store.password"
		printf 'keyPassword1\n' >"$dir/key-1.password"
	fi
	run make "$state" "$dir"
	rm -rf "$dir/checkpoint/queueset"
	cp -a "$dir" "$dir.copy"
	run drain "$dir.copy" >"$dir/want"
	tar -C "$work" --sort=name --owner=0 --group=0 -cf - "$state" | gzip -9n >"../$state.tar.gz"
	echo "$state: $(wc -l <"$dir/want") events"
done
