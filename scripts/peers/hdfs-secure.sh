#!/bin/bash
# the hdfs sink, with an HDFS that has Kerberos
#
# With a principal and its keytab fsink writes what Hadoop reads, by every
# protection of the calls and of the data, also for a proxy user; a wrong key, a
# principal that the keytab has not and no keytab are told apart.
. scripts/peers/lib.sh
. scripts/peers/lib/hdfs.sh

# A Kerberos server, and one that makes other keys for the same principal.
fetch hdfs-secure
mkdir "$work/conf"
kerberos() {
	mkdir "$work/$1.d"
	cat >"$work/$1.conf" <<-END
		org.name=EXAMPLE
		org.domain=COM
		kdc.bind.address=127.0.0.1
		kdc.port=$(free_port)
		transport=TCP
		debug=false
		instance=DefaultKrbServer
		max.ticket.lifetime=86400000
		max.renewable.lifetime=604800000
	END
	start "$1" "${hadoop_java[@]}" -Xmx128m -cp "$(classpath hdfs-secure)" org.apache.hadoop.minikdc.MiniKdc \
		"$work/$1.d" "$work/$1.conf" "$work/$1.keytab" "${@:2}"
	await "$1" 'to stop it' 120
}
kerberos other flume/localhost
stop other
kerberos kdc hdfs/localhost HTTP/localhost flume/localhost
export KRB5_CONFIG=$work/kdc.d/krb5.conf
hadoop_java+=("-Djava.security.krb5.conf=$KRB5_CONFIG")
# who Hadoop's shell is
export KRB5PRINCIPAL=flume/localhost KRB5KEYTAB=$work/kdc.keytab

login=(--hdfs.kerberosPrincipal=flume/localhost@EXAMPLE.COM --hdfs.kerberosKeytab="$work/kdc.keytab")
secure=(
	hadoop.security.authentication=kerberos
	dfs.block.access.token.enable=true
	ignore.secure.ports.for.testing=true
	hadoop.proxyuser.flume.hosts=127.0.0.1
	hadoop.proxyuser.flume.users=alice
)
for who in namenode datanode; do
	secure+=("dfs.$who.kerberos.principal=hdfs/localhost@EXAMPLE.COM" "dfs.$who.keytab.file=$work/kdc.keytab")
done
secure+=(dfs.web.authentication.kerberos.principal=HTTP/localhost@EXAMPLE.COM "dfs.web.authentication.kerberos.keytab=$work/kdc.keytab")

flags=(--hdfs.fileType=DataStream --hdfs.rollInterval=0 --hdfs.rollCount=1000 --hdfs.rollSize=0 "${login[@]}")

# What is wrong is said at the start.
refused() { # WHAT PATTERN FLAG…
	if echo x | timeout 30 "$bin/fsink" hdfs /refused "${@:3}" >"$work/refused.log" 2>&1; then fail "fsink starts with $1"; fi
	grep -q -- "$2" "$work/refused.log" || fail "fsink does not say what is wrong with $1: $(head -n 1 "$work/refused.log")"
	ok "fsink does not start with $1, and says so"
}
hdfs=hdfs://127.0.0.1:1
configure_hdfs "${secure[@]}"
refused 'a wrong key' 'as flume/localhost@EXAMPLE.COM: .*PREAUTH_FAILED' --hdfs.kerberosPrincipal=flume/localhost --hdfs.kerberosKeytab="$work/other.keytab"
refused 'a principal that nobody knows' 'as nobody/localhost@EXAMPLE.COM: .*not found' --hdfs.kerberosPrincipal=nobody/localhost --hdfs.kerberosKeytab="$work/kdc.keytab"
refused 'no keytab' 'none.keytab: no such file' --hdfs.kerberosPrincipal=flume/localhost --hdfs.kerberosKeytab="$work/none.keytab"
KRB5CCNAME=$work/none refused 'neither keytab nor ticket' 'there is no ticket in'

seq 3000 | sed 's/^/line /' >"$work/want"
echo 'line 1' >"$work/one"
begin() { # NAME FLAG…, which reads $work/fifo
	"$bin/fsink" hdfs /killed "${flags[@]}" "${@:2}" <"$work/fifo" >"$work/$1.log" 2>&1 &
	running[$1]=$!
	exec 3>"$work/fifo"
}
mkfifo "$work/fifo"
holds() { shell -cat '/killed/*' >"$work/got" && [ -s "$work/got" ]; }
list() { shell -ls /killed >"$work/list"; }
complete() { list && ! grep -q '\.tmp$' "$work/list" && holds; }

# To have a killed sink's file recovered needs a call that fsink makes itself.
recovers() { # WHAT FLAG…
	begin killed "${@:2}"
	echo 'line 1' >&3
	until_true 180 'the event is written' holds
	list
	grep -q '\.tmp$' "$work/list" || fail 'the file is not in use'
	stop killed KILL
	exec 3>&-
	begin recovering "${@:2}"
	until_true 180 'the file is complete' complete
	same "$1" "$work/one" "$work/got"
	exec 3>&-
	wait "${running[recovering]}" || fail "fsink ends badly: $(tail -n 1 "$work/recovering.log")"
	unset 'running[recovering]'
}

belongs() { # WHO DIR: to whom the files are
	shell -stat %u "$2/*" | sort -u >"$work/owners"
	[ "$(cat "$work/owners")" = "$1" ] || fail "the files in $2 are not $1's: $(tr '\n' ' ' <"$work/owners")"
}
for protection in authentication integrity privacy; do
	start_hdfs "${secure[@]}" hadoop.rpc.protection=$protection dfs.data.transfer.protection=$protection
	"$bin/fsink" hdfs /written "${flags[@]}" <"$work/want" >"$work/fsink.log" 2>&1 || fail "fsink cannot write: $(tail -n 1 "$work/fsink.log")"
	shell -cat '/written/*' >"$work/got"
	same "with $protection Hadoop reads what fsink wrote" "$work/want" "$work/got"
	belongs flume /written
	recovers "with $protection a killed sink's file is completed"
	shell -rm -r -skipTrash /killed >"$work/rm.log"

	"$bin/fsink" hdfs /proxied "${flags[@]}" --hdfs.proxyUser=alice <"$work/want" >"$work/alice.log" 2>&1 || fail "fsink cannot write as alice: $(tail -n 1 "$work/alice.log")"
	shell -cat '/proxied/*' >"$work/got"
	belongs alice /proxied
	same "with $protection Hadoop reads what fsink wrote as alice, to whom it belongs" "$work/want" "$work/got"
	recovers "with $protection a killed sink's file is completed as alice" --hdfs.proxyUser=alice
	belongs alice /killed
	"$bin/fsink" hdfs /refused "${flags[@]}" --hdfs.proxyUser=bob <"$work/one" >"$work/bob-$protection.log" 2>&1 &
	running[bob-$protection]=$!
	await "bob-$protection" "not let the sink act as hdfs.proxyUser bob: User: flume/localhost@EXAMPLE.COM is not allowed to impersonate bob"
	stop "bob-$protection"
	ok "with $protection fsink does not write as bob, who is not allowed, and says so"
	stop data
	stop name
	rm -r "$work/name" "$work/data"
done
