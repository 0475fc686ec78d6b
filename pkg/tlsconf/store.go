package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/flumekit/flumekit/pkg/fault"
)

// store is what a key store or trust store holds.
type store struct {
	keys    []tls.Certificate
	trusted []*x509.Certificate
}

// What the formats begin with.
var (
	magicJKS   = []byte{0xFE, 0xED, 0xFE, 0xED}
	magicJCEKS = []byte{0xCE, 0xCE, 0xCE, 0xCE}
	magicPEM   = []byte("-----BEGIN ")
)

// read reads the file at path, of whatever format it is: Java too reads JKS
// where PKCS12 is said, and the other way round.
func read(path, password string) (store, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return store{}, err
	}
	var s store
	switch {
	case bytes.HasPrefix(text, magicJKS):
		s, err = readJKS(text, password)
	case bytes.HasPrefix(text, magicJCEKS):
		err = fault.Hint(errors.New("it is a JCEKS"), "convert it: keytool -importkeystore -srckeystore %s -srcstoretype JCEKS -destkeystore %s.p12 -deststoretype PKCS12", path, path)
	case bytes.Contains(text, magicPEM):
		s, err = readPEM(text)
	default:
		s, err = readPKCS12(text, password)
	}
	if err != nil {
		return store{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// checkPassword is the hint where a store does not open.
func checkPassword(err error) error {
	return fault.Hint(err, "check the password; a key must have the same as its store")
}

// readJKS reads a Java key store. Like Java it takes the certificates without
// a password if none is given.
func readJKS(text []byte, password string) (store, error) {
	if password == "" {
		text = signJKS(text)
	}
	jks := keystore.New(keystore.WithOrderedAliases())
	if err := jks.Load(bytes.NewReader(text), []byte(password)); err != nil {
		return store{}, checkPassword(err)
	}
	var s store
	for _, alias := range jks.Aliases() {
		if jks.IsTrustedCertificateEntry(alias) {
			entry, err := jks.GetTrustedCertificateEntry(alias)
			if err != nil {
				return store{}, fmt.Errorf("entry %q: %w", alias, err)
			}
			cert, err := x509.ParseCertificate(entry.Certificate.Content)
			if err != nil {
				return store{}, fmt.Errorf("entry %q: %w", alias, err)
			}
			s.trusted = append(s.trusted, cert)
			continue
		}
		chain, err := jks.GetPrivateKeyEntryCertificateChain(alias)
		if err != nil {
			return store{}, fmt.Errorf("entry %q: %w", alias, err)
		}
		certs := make([]*x509.Certificate, len(chain))
		for i, c := range chain {
			if certs[i], err = x509.ParseCertificate(c.Content); err != nil {
				return store{}, fmt.Errorf("entry %q: %w", alias, err)
			}
		}
		if password == "" {
			if len(certs) > 0 {
				s.trusted = append(s.trusted, certs[0])
			}
			continue
		}
		entry, err := jks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return store{}, checkPassword(fmt.Errorf("entry %q: %w", alias, err))
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return store{}, fmt.Errorf("entry %q: %w", alias, err)
		}
		if err := s.add(key, certs); err != nil {
			return store{}, fmt.Errorf("entry %q: %w", alias, err)
		}
	}
	return s, nil
}

// signJKS returns the key store with the digest that the empty password makes,
// which stands at its end, so that it can be read without the real one.
func signJKS(text []byte) []byte {
	if len(text) < sha1.Size {
		return text
	}
	content := text[:len(text)-sha1.Size]
	digest := sha1.Sum(append([]byte("Mighty Aphrodite"), content...))
	return append(bytes.Clone(content), digest[:]...)
}

// readPKCS12 reads a store of one key with its certificates, or of trusted
// certificates.
func readPKCS12(text []byte, password string) (store, error) {
	var s store
	trusted, err := pkcs12.DecodeTrustStore(text, password)
	if err == nil && len(trusted) > 0 {
		s.trusted = trusted
		return s, nil
	}
	key, cert, chain, err := pkcs12.DecodeChain(text, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return store{}, checkPassword(err)
	case err != nil:
		return store{}, fault.Hint(err, "it must be a JKS, a PKCS12 with one key or with trusted certificates, or PEM")
	}
	return s, s.add(key, append([]*x509.Certificate{cert}, chain...))
}

// readPEM reads a private key and certificates. Without a key the certificates
// are trusted; with one they are its chain.
func readPEM(text []byte) (store, error) {
	var s store
	var key crypto.PrivateKey
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var err error
		switch {
		case block.Type == "CERTIFICATE":
			var cert *x509.Certificate
			cert, err = x509.ParseCertificate(block.Bytes)
			certs = append(certs, cert)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			err = fault.Hint(errors.New("its private key is encrypted"), "decrypt it with openssl pkey, or put it into a PKCS12 file with openssl pkcs12 -export")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return store{}, errors.New("it has two private keys")
			}
			key, err = parseKey(block)
		}
		if err != nil {
			return store{}, err
		}
	}
	if key == nil {
		s.trusted = certs
		return s, nil
	}
	return s, s.add(key, certs)
}

func parseKey(block *pem.Block) (crypto.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// add adds a key with its certificates, its own first. That one is trusted
// too, as Java takes it.
func (s *store) add(key crypto.PrivateKey, certs []*x509.Certificate) error {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("a key of type %T cannot sign", key)
	}
	if len(certs) == 0 {
		return errors.New("its key has no certificate")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certs[0].PublicKey) {
		return fault.Hint(errors.New("its first certificate is not for its key"), "put the certificate of the key before those of its issuers")
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: certs[0]}
	for _, cert := range certs {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	s.keys = append(s.keys, pair)
	s.trusted = append(s.trusted, certs[0])
	return nil
}
