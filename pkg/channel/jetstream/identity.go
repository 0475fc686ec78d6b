package jetstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/flumekit/flumekit/pkg/fault"
)

// checkURL checks the URL of a server, or of a hub's leafnode port.
func checkURL(text string, leaf bool) error {
	hint := "write nats://HOST:4222, or tls:, ws: or wss:"
	if leaf {
		hint = "write the URL of the hub's leafnode port: nats-leaf://HOST:7422, or tls:, ws: or wss:"
	}
	u, err := url.Parse(text)
	if err != nil {
		var why *url.Error // its text has the whole URL, and that may have a password
		if errors.As(err, &why) {
			err = why.Err
		}
		return fault.Hint(fmt.Errorf("servers: a URL cannot be read: %w", err), "%s", hint)
	}
	if !schemes[u.Scheme] || u.Hostname() == "" || (u.Scheme == "nats-leaf" && !leaf) {
		return fault.Hint(fmt.Errorf("servers: %q is not the URL of a server", u.Redacted()), "%s", hint)
	}
	return nil
}

// redacted returns the servers' URLs without passwords.
func (o *Options) redacted() string {
	var all []string
	for _, text := range o.Servers {
		if u, err := url.Parse(text); err == nil {
			all = append(all, u.Redacted())
		}
	}
	return strings.Join(all, ",")
}

// validateIdentity checks that there is one way only in which we say who we are.
func (o *Options) validateIdentity() error {
	var ways []string
	for _, way := range []struct {
		property string
		set      bool
	}{{"creds", o.Creds != ""}, {"nkey", o.NKey != ""}, {"user", o.User != ""}, {"token", o.Token != ""}} {
		if way.set {
			ways = append(ways, way.property)
		}
	}
	switch {
	case len(ways) > 1:
		return fault.Hint(fmt.Errorf("%s are all set", strings.Join(ways, " and ")), "leave all out but the one that the servers ask for")
	case o.Password != "" && o.PasswordFile != "":
		return fault.Hint(errors.New("password and password-file are both set"), "leave one of them out")
	case o.User == "" && (o.Password != "" || o.PasswordFile != ""):
		return fault.Hint(errors.New("there is a password, but no user"), "set user")
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return fault.Hint(errors.New("only one of tlscert and tlskey is set"), "a certificate and its private key go together")
	}
	return nil
}

// identify returns what tells the servers who we are, and us who they are.
func (o *Options) identify() ([]nats.Option, error) {
	var all []nats.Option
	switch {
	case o.Creds != "":
		if _, err := os.Stat(o.Creds); err != nil {
			return nil, fmt.Errorf("creds: %w", err)
		}
		all = append(all, nats.UserCredentials(o.Creds))
	case o.NKey != "":
		way, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey: %s: %w", o.NKey, err)
		}
		all = append(all, way)
	case o.User != "":
		password, err := o.password()
		if err != nil {
			return nil, err
		}
		all = append(all, nats.UserInfo(o.User, password))
	case o.Token != "":
		all = append(all, nats.Token(string(o.Token)))
	}
	conf, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	if conf != nil {
		all = append(all, nats.Secure(conf))
	}
	if o.TLSFirst {
		all = append(all, nats.TLSHandshakeFirst())
	}
	return all, nil
}

func (o *Options) password() (string, error) {
	if o.PasswordFile == "" {
		return string(o.Password), nil
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password-file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// tlsConfig returns nil where nothing is said of TLS: it is then spoken if a
// server asks for it, with what the system trusts.
func (o *Options) tlsConfig() (*tls.Config, error) {
	if o.TLSCA == "" && o.TLSCert == "" && o.TLSName == "" && !bool(o.TLSFirst) {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.TLSName}
	if o.TLSCA != "" {
		text, err := os.ReadFile(o.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("tlsca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(text) {
			return nil, fault.Hint(fmt.Errorf("tlsca: %s has no certificate", o.TLSCA), "it must be a PEM file")
		}
	}
	if o.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("tlscert and tlskey: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
