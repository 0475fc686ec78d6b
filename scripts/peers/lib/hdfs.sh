# An HDFS, and a Flume that writes to one, for the parts of scripts/interop that
# have one; it comes after scripts/peers/lib.sh.
# shellcheck shell=bash

# They live for a minute or two: what the JVM would do for speed later is lost.
hadoop_java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

# start_hdfs [NAME=VALUE…]: start an HDFS, a name node and a data node, at $hdfs,
# with further properties, and wait until it takes files from fsink, which has the
# flags in $login. What is started after that finds it by HADOOP_CONF_DIR.
login=()
start_hdfs() {
	local port
	port=$(free_port)
	hdfs=hdfs://127.0.0.1:$port
	configure_hdfs dfs.namenode.name.dir="$work/name" dfs.namenode.http-address=127.0.0.1:0 "$@"
	hadoop org.apache.hadoop.hdfs.server.namenode.NameNode -format -nonInteractive >"$work/format.log" 2>&1
	name_node name
	until_true 180 'the name node listens' listens "$port"
	data_node
	hdfs_takes_files
}

# configure_hdfs NAME=VALUE…: write the configuration of an HDFS at $hdfs.
configure_hdfs() {
	fetch hdfs
	mkdir -p "$work/conf"
	local each
	{
		echo '<configuration>'
		for each in fs.defaultFS="$hdfs" dfs.replication=1 dfs.permissions.enabled=false dfs.namenode.safemode.extension=0 \
			dfs.datanode.data.dir="$work/data" dfs.datanode.address="127.0.0.1:$(free_port)" \
			dfs.datanode.ipc.address="127.0.0.1:$(free_port)" dfs.datanode.http.address=127.0.0.1:0 \
			dfs.heartbeat.interval=1 dfs.namenode.heartbeat.recheck-interval=2000 "$@"; do
			printf '<property><name>%s</name><value>%s</value></property>\n' "${each%%=*}" "${each#*=}"
		done
		echo '</configuration>'
	} | tee "$work/conf/core-site.xml" >"$work/conf/hdfs-site.xml" # each has defaults that hide the other's
	cat >"$work/conf/log4j.properties" <<-'END'
		log4j.rootLogger=WARN,console
		log4j.appender.console=org.apache.log4j.ConsoleAppender
		log4j.appender.console.target=System.err
		log4j.appender.console.layout=org.apache.log4j.PatternLayout
		log4j.appender.console.layout.ConversionPattern=%d %p %c{2}: %m%n
	END
	export HADOOP_CONF_DIR=$work/conf HADOOP_USER_NAME=flume
}

# name_node NAME [ARGUMENT…], data_node: start one.
name_node() { start "$1" "${hadoop_java[@]}" -Xmx300m -cp "$work/conf:$(classpath hdfs)" org.apache.hadoop.hdfs.server.namenode.NameNode "${@:2}"; }
data_node() { start data "${hadoop_java[@]}" -Xmx300m -cp "$work/conf:$(classpath hdfs)" org.apache.hadoop.hdfs.server.datanode.DataNode; }

hdfs_takes_files() {
	writes() { echo ready | timeout 20 "$bin/fsink" hdfs /ready --hdfs.fileType=DataStream "${login[@]}" >>"$work/ready.log" 2>&1; }
	until_true 180 'HDFS takes a file' writes
}

# hadoop CLASS ARGUMENT…: run a program of Hadoop's; shell, its file system shell.
hadoop() { "${hadoop_java[@]}" -Xmx400m -cp "$work/conf:$(classpath hdfs)" "$@"; }
shell() { LD_LIBRARY_PATH=$native hadoop org.apache.hadoop.fs.FsShell "$@" 2>>"$work/shell.log"; }

# load_native: have shell and Flume load Hadoop's native library, without which
# Hadoop has no zstd; false where there is none for this machine. The library is
# that of Hadoop 3.2, which the name node and the data node would not run with.
native=
load_native() {
	local platform dir
	case $(uname -sm) in
	'Linux x86_64') platform=Linux-amd64 ;;
	'Linux ppc64le') platform=Linux-ppc64le ;;
	*) return 1 ;;
	esac
	fetch hdfs-native unpack-dependencies -Dmdep.unpack.includes='nativelib/Linux-*/*' -DmarkersDirectory="$work/unpacked"
	dir=$(dirname "$(classpath hdfs-native)")/nativelib/$platform
	native=$work/native
	mkdir "$native"
	ln -s "$dir/libhadoop.so" "$native"
	ln -s "$dir/libzstd.so" "$native/libzstd.so.1" # as it is looked for
}

# flume_with_hadoop NAME CONF: as flume, with Hadoop's jars besides.
flume_with_hadoop() {
	LD_LIBRARY_PATH=$native start "$1" java -Xmx256m -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$(classpath flume):$work/conf:$(classpath hdfs)" \
		org.apache.flume.node.Application -n a1 -f "$2" --no-reload-conf
}
