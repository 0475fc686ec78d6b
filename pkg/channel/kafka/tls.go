package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/flumekit/flumekit/pkg/fault"
)

// tlsConfig returns how connections are encrypted.
func (o *connectionOptions) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{}
	var err error
	if conf.MinVersion, conf.MaxVersion, err = o.versions(); err != nil {
		return nil, err
	}
	if conf.CipherSuites, err = o.suites(); err != nil {
		return nil, err
	}
	if conf.RootCAs, err = o.trusted(); err != nil {
		return nil, err
	}
	if conf.Certificates, err = o.identity(); err != nil {
		return nil, err
	}
	if bool(o.NoHostname) || o.Identification == "" {
		conf.InsecureSkipVerify = true
		roots := conf.RootCAs
		conf.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	}
	return conf, nil
}

// verifyChain checks the other side's certificate but for the host it names.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// tlsVersions are Java's names.
var tlsVersions = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

func (o *connectionOptions) versions() (least, most uint16, err error) {
	var all []uint16
	for _, name := range o.Protocols {
		version, ok := tlsVersions[name]
		if !ok {
			return 0, 0, fault.Hint(fmt.Errorf("%q is not a version of TLS", name), "write TLSv1.2,TLSv1.3")
		}
		all = append(all, version)
	}
	if len(all) == 0 {
		return 0, 0, fault.Hint(errors.New("names no version"), "write TLSv1.2,TLSv1.3")
	}
	return slices.Min(all), slices.Max(all), nil
}

func (o *connectionOptions) suites() (ids []uint16, err error) {
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range o.CipherSuites {
		i := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fault.Hint(fmt.Errorf("%q is not known", name), "write IANA's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
		}
		ids = append(ids, known[i].ID)
	}
	return ids, nil
}

// trusted returns the certificates to trust, nil for the system's.
func (o *connectionOptions) trusted() (*x509.CertPool, error) {
	var certs []*x509.Certificate
	var err error
	what := "ssl.truststore.certificates"
	switch {
	case o.Trusted != "":
		certs, err = pemCertificates([]byte(o.Trusted))
	default:
		path, password := global(o.TrustStore, string(o.TrustPassword), "TRUSTSTORE")
		if path == "" {
			return nil, nil
		}
		what = "reading ssl.truststore.location"
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			certs, err = trustStore(text, password)
		}
	}
	if err == nil && len(certs) == 0 {
		err = errors.New("it has no certificate to trust")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

// identity returns this client's certificate, none if it has none.
func (o *connectionOptions) identity() ([]tls.Certificate, error) {
	var cert tls.Certificate
	var err error
	what := "ssl.keystore.key"
	switch {
	case o.Key != "":
		cert, err = pemIdentity([]byte(o.Certificates), []byte(o.Key))
	default:
		path, password := global(o.KeyStore, string(o.KeyStorePassword), "KEYSTORE")
		if path == "" {
			return nil, nil
		}
		what = "reading ssl.keystore.location"
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			cert, err = keyStore(text, password, string(o.KeyPassword))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return []tls.Certificate{cert}, nil
}

// global returns a store's path and password: Flume's global settings where the
// properties have none.
func global(path, password, kind string) (string, string) {
	if path == "" {
		path = os.Getenv("FLUME_SSL_" + kind + "_PATH")
	}
	if password == "" {
		password = os.Getenv("FLUME_SSL_" + kind + "_PASSWORD")
	}
	return path, password
}
