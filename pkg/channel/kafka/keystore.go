package kafka

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/flumekit/flumekit/pkg/fault"
)

// jksMagic is what a JKS file begins with.
var jksMagic = []byte{0xfe, 0xed, 0xfe, 0xed}

// trustStore returns the certificates in the text of a trust store.
func trustStore(text []byte, password string) ([]*x509.Certificate, error) {
	switch {
	case isPEM(text):
		return pemCertificates(text)
	case !bytes.HasPrefix(text, jksMagic):
		certs, err := pkcs12.DecodeTrustStore(text, password)
		return certs, foreignStore(err)
	}
	store, err := loadJKS(text, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, alias := range store.Aliases() {
		if !store.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := store.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		cert, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// keyStore returns the key and its certificates in the text of a key store.
func keyStore(text []byte, password, keyPassword string) (tls.Certificate, error) {
	if keyPassword == "" {
		keyPassword = password
	}
	switch {
	case isPEM(text):
		return pemIdentity(text, text)
	case !bytes.HasPrefix(text, jksMagic):
		key, leaf, chain, err := pkcs12.DecodeChain(text, password)
		if err != nil {
			return tls.Certificate{}, foreignStore(err)
		}
		return identityOf(key, append([]*x509.Certificate{leaf}, chain...)), nil
	}
	store, err := loadJKS(text, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	for _, alias := range store.Aliases() {
		if !store.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := store.GetPrivateKeyEntry(alias, []byte(keyPassword))
		if err != nil {
			return tls.Certificate{}, fault.Hint(fmt.Errorf("the key of entry %q: %w", alias, err), "check ssl.key.password")
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("the key of entry %q: %w", alias, err)
		}
		cert := tls.Certificate{PrivateKey: key}
		for _, c := range entry.CertificateChain {
			cert.Certificate = append(cert.Certificate, c.Content)
		}
		return cert, nil
	}
	return tls.Certificate{}, errors.New("it has no key")
}

func loadJKS(text []byte, password string) (*keystore.KeyStore, error) {
	store := keystore.New(keystore.WithOrderedAliases())
	if err := store.Load(bytes.NewReader(text), []byte(password)); err != nil {
		return nil, fault.Hint(err, "check the store's password")
	}
	return &store, nil
}

// foreignStore adds to an error about a PKCS12 store what may be done.
func foreignStore(err error) error {
	return fault.Hint(err, "check the store's password; a PEM file is read as well: openssl pkcs12 -in STORE -nodes -out STORE.pem")
}

func isPEM(text []byte) bool { return bytes.Contains(text, []byte("-----BEGIN ")) }

func pemCertificates(text []byte) (certs []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func pemIdentity(certs, key []byte) (tls.Certificate, error) {
	cert, err := tls.X509KeyPair(certs, key)
	if err != nil && strings.Contains(string(key), "ENCRYPTED") {
		err = fault.Hint(errors.New("the key is encrypted, which is not supported in PEM"), "put it into a PKCS12 store, or take the password off: openssl pkey -in KEY -out KEY.pem")
	}
	return cert, err
}

func identityOf(key crypto.PrivateKey, certs []*x509.Certificate) tls.Certificate {
	cert := tls.Certificate{PrivateKey: key}
	for _, c := range certs {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert
}
