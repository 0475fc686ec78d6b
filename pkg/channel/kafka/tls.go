package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/tlsconf"
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
		tlsconf.VerifyChainOnly(conf)
	}
	return conf, nil
}

func (o *connectionOptions) versions() (least, most uint16, err error) {
	var all []uint16
	for _, name := range o.Protocols {
		version, ok := tlsconf.Version(name)
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
	for _, name := range o.CipherSuites {
		id, ok := tlsconf.CipherSuite(name)
		if !ok {
			return nil, fault.Hint(fmt.Errorf("%q is not known", name), "write IANA's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// trusted returns the certificates to trust, nil for the system's.
func (o *connectionOptions) trusted() (*x509.CertPool, error) {
	var what string
	var store *tlsconf.Store
	var err error
	if o.Trusted != "" {
		what = "ssl.truststore.certificates"
		store, err = tlsconf.ParsePEM([]byte(o.Trusted))
	} else {
		what = "reading ssl.truststore.location"
		store, err = tlsconf.Truststore(o.TrustStore, string(o.TrustPassword))
	}
	if err == nil && store == nil {
		return nil, nil
	}
	var roots *x509.CertPool
	if err == nil {
		roots, err = store.Roots()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return roots, nil
}

// identity returns this client's certificate, none if it has none.
func (o *connectionOptions) identity() ([]tls.Certificate, error) {
	var what string
	var store *tlsconf.Store
	var err error
	if o.Key != "" {
		what = "ssl.keystore.key"
		store, err = tlsconf.ParsePEM([]byte(o.Certificates + "\n" + string(o.Key)))
	} else {
		what = "reading ssl.keystore.location"
		store, err = tlsconf.Keystore(o.KeyStore, string(o.KeyStorePassword))
	}
	if err == nil && store == nil {
		return nil, nil
	}
	var keys []tls.Certificate
	if err == nil {
		keys, err = store.Keys(string(o.KeyPassword))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return keys, nil
}
