package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// Client is the options of a component that dials.
type Client struct {
	Enabled        option.Bool   `name:"ssl" default:"false" help:"Speak TLS."`
	TrustAll       option.Bool   `name:"trust-all-certs" default:"false" help:"Take any certificate, so that anyone may stand between."`
	Truststore     string        `name:"truststore" placeholder:"FILE" help:"Certificates to trust: JKS, PKCS12 or PEM; without it, those that the system trusts."`
	Password       option.Secret `name:"truststore-password" placeholder:"PASSWORD" help:"Password of the trust store; a JKS is read without."`
	PasswordFile   string        `name:"truststore-password-file" placeholder:"FILE" help:"File that holds the password alone."`
	Type           string        `name:"truststore-type" enum:"JKS,PKCS12,PEM" default:"JKS" help:"What the trust store is. What the file begins with decides, so it need not be set."`
	VerifyHostname option.Bool   `name:"verify-hostname" default:"false" help:"Check that the certificate is for the server's name; without a truststore that is always done."`
	Limits         Limits        `embed:""`
}

// Warnings returns what of the values has no effect.
func (c *Client) Warnings() []error {
	if bool(c.Enabled) || c.Truststore == "" {
		return nil
	}
	return []error{fault.Hint(errors.New("truststore is set, and ssl is not: nothing is encrypted"), "set ssl to true, or take truststore out")}
}

// Validate checks what the values alone can tell.
func (c *Client) Validate() error {
	if c.Enabled && c.Password != "" && c.PasswordFile != "" {
		return errors.New("truststore-password-file is set, and so is truststore-password; one of them must go")
	}
	return nil
}

// Config reads the trust store and returns what to dial the server of that
// name or address with, nil if ssl is false.
//
// Flume: never compares the name in a certificate with the server's. With a
// trust store of one's own that is so here too unless verify-hostname is set,
// because such certificates often lack the name. Without one, when any
// authority's certificate for any name would do, the name counts.
func (c *Client) Config(serverName string) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	config := &tls.Config{ServerName: serverName}
	if err := c.Limits.apply(config); err != nil {
		return nil, err
	}
	if c.TrustAll {
		config.InsecureSkipVerify = true
		return config, nil
	}
	password, err := secret(c.Password, c.PasswordFile)
	if err != nil {
		return nil, fault.Hint(err, "truststore-password-file names it")
	}
	store, err := Truststore(c.Truststore, password)
	if err != nil {
		return nil, fmt.Errorf("reading truststore: %w", err)
	}
	if store == nil {
		return config, nil
	}
	if config.RootCAs, err = store.Roots(); err != nil {
		return nil, fmt.Errorf("reading truststore: %w", err)
	}
	if !c.VerifyHostname {
		VerifyChainOnly(config)
	}
	return config, nil
}

// VerifyChainOnly makes config check that the server's certificate comes from
// one of RootCAs, nil for the system's, whatever name it is for.
func VerifyChainOnly(config *tls.Config) {
	roots := config.RootCAs
	config.InsecureSkipVerify = true // VerifyConnection does all but the name
	config.VerifyConnection = func(state tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(opts)
		return err
	}
}
