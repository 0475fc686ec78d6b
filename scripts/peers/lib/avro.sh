# Both ends of Avro RPC in four layers, for the parts of scripts/interop that have
# them; it comes after scripts/peers/lib.sh.
# shellcheck shell=bash

# The key and the certificate are those of localhost.
store() { keytool "$@" -alias flume -storetype JKS -storepass secret 2>>"$work/keytool.log"; }
store -genkeypair -keyalg RSA -dname CN=localhost -keypass secret -keystore "$work/key.jks"
store -exportcert -keystore "$work/key.jks" | store -importcert -noprompt -keystore "$work/trust.jks"

# $ssl is what both ends have in TLS besides their stores.
layers='plain deflate tls both'
ssl='ssl=true'

# server LAYER, client LAYER: the properties of either end; flags: as flags.
flags() { tr ' ' '\n' | sed 's/^/--/'; }
server() {
	case $1 in deflate | both) echo compression-type=deflate ;; esac
	case $1 in tls | both) echo "$ssl keystore=$work/key.jks keystore-password=secret" ;; esac
}
client() {
	case $1 in deflate | both) echo compression-type=deflate ;; esac
	case $1 in tls | both) echo "$ssl truststore=$work/trust.jks truststore-password=secret" ;; esac
}
