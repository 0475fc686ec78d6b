// Package tlsconf makes a *tls.Config from Flume's properties: ssl, keystore,
// truststore, include-protocols and the rest.
//
// A component that listens embeds a Server among its options, one that dials
// a Client:
//
//	type Options struct {
//		…
//		TLS tlsconf.Server `embed:"" group:"TLS"`
//	}
//
// and asks it for the Config in Open; that is nil where ssl is false. Key
// stores are Java's, JKS and PKCS12, or PEM files. Protocols and cipher suites
// have the names that Java gives them.
//
// What is not set comes from the environment, under the names of Flume's
// global settings: FLUME_SSL_KEYSTORE_PATH, FLUME_SSL_KEYSTORE_PASSWORD,
// FLUME_SSL_TRUSTSTORE_PATH, FLUME_SSL_TRUSTSTORE_PASSWORD,
// FLUME_SSL_INCLUDE_PROTOCOLS, FLUME_SSL_EXCLUDE_PROTOCOLS,
// FLUME_SSL_INCLUDE_CIPHERSUITES and FLUME_SSL_EXCLUDE_CIPHERSUITES.
//
// A component whose properties have other names, such as Kafka's, makes its
// tls.Config itself, of Keystore, Truststore, ParsePEM, Version, CipherSuite
// and VerifyChainOnly.
package tlsconf

import (
	"fmt"
	"os"
	"strings"

	"github.com/flumekit/flumekit/pkg/option"
)

// or returns value, or if it is empty the environment's.
func or(value, variable string) string {
	if value != "" {
		return value
	}
	return os.Getenv(variable)
}

// orList returns list, or if it is empty the environment's, which has commas.
func orList(list []string, variable string) []string {
	if len(list) > 0 {
		return list
	}
	return strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' || r == ' ' })
}

// secret returns the password that is given, or stands in the file.
func secret(given option.Secret, file string) (string, error) {
	if given != "" || file == "" {
		return string(given), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading a password: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
