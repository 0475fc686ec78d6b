#!/bin/bash
# the syslog sources, with rsyslog, logger and loggen, and with Flume's own
#
# What the senders that people have send to syslogtcp, multiport_syslogtcp and
# syslogudp, in the old form and the new, in datagrams, lines, counted and in
# TLS, makes the events that Flume makes of it, headers and bodies alike. Flume
# does not know counted messages: those have to become what it makes of lines.
# So do odd messages, sent without a sender.
. scripts/peers/lib.sh
export TZ=UTC LC_ALL=C.UTF-8

# unpack PACKAGE…: have the files of Debian packages in a directory, $unpacked,
# without installing them: one takes the other's place, and starts.
unpack() {
	unpacked=$cache/$1
	[ -f "$unpacked/complete" ] && return
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
	printf 'fetching %s\n' "$*"
	rm -rf "$work/deb"
	mkdir -p "$work/deb" "$unpacked"
	(cd "$work/deb" && timeout 120 apt-get download "$@") >"$work/apt.log" 2>&1 || return
	local deb
	for deb in "$work"/deb/*.deb; do dpkg-deb -x "$deb" "$unpacked" || return; done
	touch "$unpacked/complete"
}

skip() { printf 'skipping %s\n' "$*"; }

if ! command -v openssl >/dev/null; then
	skip 'all of it: there is no openssl on this machine to make a certificate with'
	exit
fi
logger=
if logger --version 2>/dev/null | grep -q util-linux; then
	logger=logger
else
	skip 'logger: this machine has none of util-linux'
fi
loggen=()
if command -v loggen >/dev/null; then
	loggen=(loggen)
elif unpack syslog-ng-core; then
	loggen=(env "LD_LIBRARY_PATH=$unpacked/usr/lib/syslog-ng" "SYSLOGNG_PREFIX=$unpacked/usr" "$unpacked/usr/bin/loggen")
else
	skip 'loggen: it is not there, and no package syslog-ng-core to be had'
fi
rsyslogd=()
modules=$(echo /usr/lib/*/rsyslog)
if PATH=$PATH:/usr/sbin command -v rsyslogd >/dev/null; then
	rsyslogd=("$(PATH=$PATH:/usr/sbin command -v rsyslogd)")
elif unpack rsyslog libestr0 libfastjson4; then
	modules=$(echo "$unpacked"/usr/lib/*/rsyslog)
	rsyslogd=(env "LD_LIBRARY_PATH=$(dirname "$modules")" "$unpacked/usr/sbin/rsyslogd")
else
	skip 'rsyslog: it is not there, and no package rsyslog to be had'
fi
driver=
if [ -f "$modules/lmnsd_gtls.so" ]; then
	driver=gtls
elif [ -f "$modules/lmnsd_ossl.so" ]; then
	driver=ossl
elif [ "${#rsyslogd[@]}" -gt 0 ] && unpack rsyslog-gnutls; then
	driver=gtls
	modules=$modules:$(echo "$unpacked"/usr/lib/*/rsyslog)
else
	skip 'rsyslog with TLS: it has no driver, and no package rsyslog-gnutls to be had'
fi

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
openssl pkcs12 -export -in "$work/cert.pem" -inkey "$work/key.pem" -out "$work/id.p12" -passout pass:secret

# Flume's sources and ours, each with a file for its events.
declare -A port=()
kinds='tcp udp multi tls multitls'
conf=$work/flume.conf
{
	echo "a1.sources = $kinds"
	echo "a1.channels = $kinds"
	echo "a1.sinks = $kinds"
} >"$conf"
for kind in $kinds; do
	port[flume-$kind]=$(free_port)
	mkdir "$work/flume-$kind" "$work/ours-$kind"
	case $kind in
	multi) source="type = multiport_syslogtcp,ports = ${port[flume-$kind]}" ;;
	udp) source="type = syslogudp,port = ${port[flume-$kind]}" ;;
	tcp) source="type = syslogtcp,port = ${port[flume-$kind]}" ;;
	tls) source="type = syslogtcp,port = ${port[flume-$kind]}" ;;
	multitls) source="type = multiport_syslogtcp,ports = ${port[flume-$kind]}" ;;
	esac
	case $kind in *tls) source="$source,ssl = true,keystore = $work/id.p12,keystore-type = PKCS12,keystore-password = secret" ;; esac
	{
		tr , '\n' <<<"$source,host = 127.0.0.1,channels = $kind" | sed "s/^/a1.sources.$kind./"
		sed "s/^/a1.sinks.$kind./" <<-END
			type = file_roll
			channel = $kind
			sink.directory = $work/flume-$kind
			sink.rollInterval = 0
			sink.serializer = HEADER_AND_TEXT
		END
		echo "a1.channels.$kind.type = memory"
		echo "a1.channels.$kind.capacity = 10000"
	} >>"$conf"
done
fetch flume
flume flume "$conf"

# ours KIND ARGUMENT…: start fsrc and fsink.
ours() {
	local kind=$1
	shift
	"$bin/fsrc" "$@" --ready-file "$work/$kind.addr" 2>>"$work/fsrc-$kind.log" </dev/null > >(
		exec "$bin/fsink" file_roll "$work/ours-$kind" --sink.rollInterval 0 --sink.serializer HEADER_AND_TEXT 2>>"$work/fsink-$kind.log"
	) &
	running[ours-$kind]=$!
	until_true 30 "our source for $kind listens" test -s "$work/$kind.addr"
	port[ours-$kind]=$(sed 's/.*://' "$work/$kind.addr")
}
ours tcp syslogtcp 127.0.0.1:0
ours udp syslogudp 127.0.0.1:0
ours multi multiport_syslogtcp 0 --host 127.0.0.1
tls=(--ssl --keystore "$work/id.p12" --keystore-type PKCS12 --keystore-password secret)
ours tls syslogtcp 127.0.0.1:0 "${tls[@]}"
ours multitls multiport_syslogtcp 0 --host 127.0.0.1 "${tls[@]}"
for kind in tcp multi tls multitls; do until_true 60 "Flume's $kind listens" listens "${port[flume-$kind]}"; done
udp_bound() { grep -q ":$(printf %04X "${port[flume-udp]}") " /proc/net/udp /proc/net/udp6; }
until_true 60 "Flume's udp listens" udp_bound

# events WHO KIND: the events so far, their headers sorted.
events() { cat "$work/$1-$2"/* | sorted_headers; }

count() { cat "$work/$1-$2"/* | wc -l; }
arrived() { [ "$(count "$1" "$2")" -ge "$3" ]; }

# masked: without what differs from one run of a sender to the next: the time of
# day, where it is no more than five minutes ago; a process; a run.
masked() {
	awk -v now="$(date +%s)" '{
		if (match($0, /timestamp=[0-9]+/)) {
			age = now - substr($0, RSTART + 10, RLENGTH - 10) / 1000
			if (-5 < age && age < 300) $0 = substr($0, 1, RSTART + 9) "NOW" substr($0, RSTART + RLENGTH)
		}
		print
	}' | sed 's/runid: [0-9]*/runid: R/; s/stamp: [0-9T:-]*/stamp: S/; s/syncaccuracy="[0-9]*"/syncaccuracy="A"/'
}

# sent WHO KIND N COMMAND…: run a command and print the N events that it makes.
# PORT among its words is the port; a word for one of the two alone begins with
# that, as ours:--octet-count does.
sent() {
	local who=$1 kind=$2 n=$3 before word command=()
	shift 3
	for word; do
		case $word in
		"$who":*) command+=("${word#*:}") ;;
		flume:* | ours:*) ;;
		PORT) command+=("${port[$who-$kind]}") ;;
		*) command+=("$word") ;;
		esac
	done
	before=$(count "$who" "$kind")
	timeout 60 "${command[@]}" >>"$work/sender.log" 2>&1 || fail "${command[*]}: status $?"
	until_true 30 "$who has all of ${command[*]}" arrived "$who" "$kind" $((before + n))
	events "$who" "$kind" | tail -n +$((before + 1)) | masked
}

# both WHAT KIND N COMMAND…: run a command for Flume and for ours, and compare.
both() {
	local what=$1
	shift
	sent flume "$@" >"$work/want"
	sent ours "$@" >"$work/got"
	same "$what" "$work/want" "$work/got"
}

# rsyslog sends the same messages to all, at the same time.
if [ "${#rsyslogd[@]}" -gt 0 ]; then
	outputs='udp tcp multi'
	[ -z "$driver" ] || outputs="$outputs tls multitls"
	{
		echo 'module(load="imfile")'
		echo "global(workDirectory=\"$work\" defaultNetstreamDriverCAFile=\"$work/cert.pem\")"
		echo "input(type=\"imfile\" file=\"$work/in.txt\" tag=\"app:\")"
		for who in flume ours; do
			for kind in $outputs; do
				echo "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"${port[$who-$kind]}\""
				case $who-$kind in
				*-udp) echo 'protocol="udp"' ;;
				*-tcp) echo 'protocol="tcp"' ;;
				ours-multi) echo 'protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted"' ;;
				*-multi) echo 'protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"' ;;
				*tls) echo "protocol=\"tcp\" template=\"RSYSLOG_SyslogProtocol23Format\" StreamDriver=\"$driver\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\"" ;;
				esac
				echo ')'
			done
		done
	} >"$work/rsyslog.conf"
	awk 'BEGIN { for (i = 1; i <= 200; i++) printf "line %d%s grün\n", i, i % 50 ? "" : ": <13>1 - {a=b} " }' >"$work/in.txt"
	start rsyslog "${rsyslogd[@]}" -n -M "$modules" -f "$work/rsyslog.conf" -i "$work/rsyslog.pid"
	declare -A how=([udp]='datagrams, RFC 3164' [tcp]='lines, RFC 3164' [multi]='counted, RFC 5424' [tls]='lines in TLS, RFC 5424' [multitls]='lines in TLS, RFC 5424')
	for kind in $outputs; do
		for who in flume ours; do until_true 30 "$who has what rsyslog sends to $kind" arrived "$who" "$kind" 200; done
		events flume "$kind" >"$work/want"
		events ours "$kind" >"$work/got"
		same "rsyslog to $kind: 200 ${how[$kind]}" "$work/want" "$work/got"
	done
	stop rsyslog
fi

# What no sender should send, and some do. To syslogtcp first what has no known
# form: Flume has the priority and version of what comes before in its headers.
# What the two make of other messages differs, as is marked in the code.
long=$(printf '%02600d' 0 | tr 0 a)
sd='app - id [x@1 k="a\]b\"c"]'" $(printf '\357\273\277')m"
printf '%s\n' "<13>$long" '' noprio '<>x' '<abc>x' '<1234>x' '<-5>x' '<13>' '<13>x' '<13>1 - h' \
	'<13>Jun  1 12:00:00 su: x' '<13>Jun  1 12:00:00.5 h x' '<13>2024 Jun  1 12:00:00 h x' '<13>1  - h x' \
	'<13>1 2024-06-01T12:00:00+0200 h x' '<13>12 2024-06-01T12:00:00Z h x' \
	'<013>Jan  1 00:00:00 h x' '<13>Dec 31 23:59:59 h x' '<191>Jun  1 12:00:00 h x' '<192>Jun 1 12:00:00 h x' \
	'<999>Feb 29 12:00:00 10.0.0.1 x' '<13>Foo  1 12:00:00 h x' '<13>Jun  1 12:00:00 h ' \
	'<13>2024-06-01T12:00:00Z h x' '<13> 2024-06-01T12:00:00-08:00 h x' '<13>0 2024-06-01T12:00:00Z h  x' \
	'<13>2 2024-06-01T12:00:00 h x' '<13>1 - - x' '<13>1 - h -' "<165>1 2003-10-11T22:14:15.003Z h $sd" >"$work/odd-tcp"
printf '%s\n' "$long" noprio '<>x' '<abc>x' '<13' '<013>2024-06-01T12:00:00Z h x' '<191>2024-06-01T12:00:00Z h x' \
	'<999>1 2024-06-01T12:00:00.5Z [::1]:514 x' '<13>1 2024-06-01T12:00:00.123456789-05:00 h x' \
	'<13>1 2024-06-01T12:00:00Z h ' "<165>1 2003-10-11T22:14:15.003Z h $sd" >"$work/odd-multi"
# An empty line is no event, and the long one is two.
for kind in tcp multi; do
	n=$(grep -c . "$work/odd-$kind")
	both "odd messages to $kind" "$kind" $((n + 1)) bash -c 'cat "$1" >"/dev/tcp/127.0.0.1/$2"' - "$work/odd-$kind" PORT
done

if [ "${#loggen[@]}" -gt 0 ]; then
	load() { both "$@" --quiet --size 200 127.0.0.1 PORT; }
	# Of many datagrams loggen counts some that it has not sent.
	load 'loggen to udp: 20 datagrams' udp 20 "${loggen[@]}" --dgram --number 20 --rate 100
	loggen+=(--number 500 --rate 2000)
	load 'loggen to tcp: 500 lines' tcp 500 "${loggen[@]}" --stream
	load 'loggen to tcp: 500 lines, RFC 5424' tcp 500 "${loggen[@]}" --stream --syslog-proto --no-framing
	load 'loggen to tcp: 500 counted, RFC 5424' tcp 500 "${loggen[@]}" --stream --syslog-proto flume:--no-framing
	load 'loggen to multi: 500 counted, RFC 5424' multi 500 "${loggen[@]}" --stream --syslog-proto flume:--no-framing
	load 'loggen to tls: 500 lines' tls 500 "${loggen[@]}" --use-ssl
	load 'loggen to multitls: 500 lines, RFC 5424' multitls 500 "${loggen[@]}" --use-ssl --syslog-proto --no-framing
fi

# The new form comes last: in datagrams, Flume has its version in later events.
if [ -n "$logger" ]; then
	for form in rfc3164 rfc5424; do
		log=("$logger" --server 127.0.0.1 --port PORT "--$form" --tag app --priority mail.warning)
		[ "$form" = rfc3164 ] || log+=(--sd-id x@1 --sd-param 'a="b"' --msgid id)
		both "logger to udp: $form" udp 1 "${log[@]}" --udp 'of grün'
		for kind in tcp multi; do
			both "logger to $kind: $form" "$kind" 1 "${log[@]}" --tcp 'of grün'
			both "logger to $kind: $form, counted" "$kind" 1 "${log[@]}" --tcp ours:--octet-count 'of grün'
		done
	done
fi
[ "$checks" -gt 0 ] || skip 'all: there is no sender'
