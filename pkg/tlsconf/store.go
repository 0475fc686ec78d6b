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

// Store is what a key store or trust store holds.
type Store struct {
	name     string // the file's, in errors
	password string
	trusted  []*x509.Certificate
	keys     []tls.Certificate
	locked   []lockedKey // those of a JKS
}

// lockedKey is a private key that is still encrypted.
type lockedKey struct {
	alias  string
	certs  []*x509.Certificate
	unlock func(password string) (crypto.PrivateKey, error)
}

// Flume's global settings.
const (
	keystorePath       = "FLUME_SSL_KEYSTORE_PATH"
	keystorePassword   = "FLUME_SSL_KEYSTORE_PASSWORD"
	truststorePath     = "FLUME_SSL_TRUSTSTORE_PATH"
	truststorePassword = "FLUME_SSL_TRUSTSTORE_PASSWORD"
)

// What the formats begin with.
var (
	magicJKS   = []byte{0xFE, 0xED, 0xFE, 0xED}
	magicJCEKS = []byte{0xCE, 0xCE, 0xCE, 0xCE}
	magicPEM   = []byte("-----BEGIN ")
)

// Keystore reads the key store at path, or where path is empty that of
// FLUME_SSL_KEYSTORE_PATH; the password is that of FLUME_SSL_KEYSTORE_PASSWORD
// where it is empty. It returns nil if neither names a file.
func Keystore(path, password string) (*Store, error) {
	return read(or(path, keystorePath), or(password, keystorePassword))
}

// Truststore is Keystore for FLUME_SSL_TRUSTSTORE_PATH and
// FLUME_SSL_TRUSTSTORE_PASSWORD.
func Truststore(path, password string) (*Store, error) {
	return read(or(path, truststorePath), or(password, truststorePassword))
}

// read reads the file at path, of whatever format it is: Java too reads JKS
// where PKCS12 is said, and the other way round.
func read(path, password string) (*Store, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s *Store
	switch {
	case bytes.HasPrefix(text, magicJKS):
		s, err = readJKS(text, password)
	case bytes.HasPrefix(text, magicJCEKS):
		err = fault.Hint(errors.New("it is a JCEKS"), "convert it: keytool -importkeystore -srckeystore %s -srcstoretype JCEKS -destkeystore %s.p12 -deststoretype PKCS12", path, path)
	case bytes.Contains(text, magicPEM):
		s, err = ParsePEM(text)
	default:
		s, err = readPKCS12(text, password)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.name = path
	return s, nil
}

// Roots returns the certificates to trust; none at all is an error. The
// certificate of a private key is trusted too, as Java takes it.
func (s *Store) Roots() (*x509.CertPool, error) {
	if len(s.trusted) == 0 {
		return nil, fault.Hint(fmt.Errorf("%s has no certificate to trust", s.name),
			"PKCS12 files must be made by keytool: openssl does not mark certificates as trusted")
	}
	pool := x509.NewCertPool()
	for _, cert := range s.trusted {
		pool.AddCert(cert)
	}
	return pool, nil
}

// Keys returns the private keys, by alias, each with its certificates; none at
// all is an error. Those of a JKS have this password, or the store's if it is
// empty.
func (s *Store) Keys(password string) ([]tls.Certificate, error) {
	if password == "" {
		password = s.password
	}
	keys := s.keys
	for _, k := range s.locked {
		key, err := k.unlock(password)
		if err != nil {
			return nil, fault.Hint(fmt.Errorf("%s: the key of entry %q: %w", s.name, k.alias, err), "check the password of the key; keytool -keypasswd can make it that of its store")
		}
		pair, err := newPair(key, k.certs)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %q: %w", s.name, k.alias, err)
		}
		keys = append(keys, pair)
	}
	if len(keys) == 0 {
		return nil, fault.Hint(fmt.Errorf("%s has no private key", s.name),
			"PEM must hold the key and its certificates; keytool -list -keystore FILE lists what a Java key store holds")
	}
	return keys, nil
}

// readJKS reads a Java key store. Like Java it takes the certificates without
// a password if none is given.
func readJKS(text []byte, password string) (*Store, error) {
	if password == "" {
		text = signJKS(text)
	}
	jks := keystore.New(keystore.WithOrderedAliases())
	if err := jks.Load(bytes.NewReader(text), []byte(password)); err != nil {
		return nil, checkPassword(err)
	}
	s := &Store{password: password}
	for _, alias := range jks.Aliases() {
		if err := s.addEntry(&jks, alias); err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
	}
	return s, nil
}

// checkPassword is the hint where a store does not open.
func checkPassword(err error) error { return fault.Hint(err, "check the store's password") }

// addEntry adds a certificate, or a key that is still encrypted.
func (s *Store) addEntry(jks *keystore.KeyStore, alias string) error {
	if jks.IsTrustedCertificateEntry(alias) {
		entry, err := jks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return err
		}
		cert, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return err
		}
		s.trusted = append(s.trusted, cert)
		return nil
	}
	chain, err := jks.GetPrivateKeyEntryCertificateChain(alias)
	if err != nil {
		return err
	}
	certs := make([]*x509.Certificate, len(chain))
	for i, c := range chain {
		if certs[i], err = x509.ParseCertificate(c.Content); err != nil {
			return err
		}
	}
	if len(certs) > 0 {
		s.trusted = append(s.trusted, certs[0])
	}
	s.locked = append(s.locked, lockedKey{alias, certs, func(password string) (crypto.PrivateKey, error) {
		entry, err := jks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, err
		}
		return x509.ParsePKCS8PrivateKey(entry.PrivateKey)
	}})
	return nil
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

// sequence is what the ASN.1 of a PKCS12 begins with.
const sequence = 0x30

// readPKCS12 reads a store of one key with its certificates, or of trusted
// certificates.
func readPKCS12(text []byte, password string) (*Store, error) {
	trusted, err := pkcs12.DecodeTrustStore(text, password)
	if err == nil && len(trusted) > 0 {
		return &Store{trusted: trusted}, nil
	}
	key, cert, chain, err := pkcs12.DecodeChain(text, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, checkPassword(err)
	case err != nil:
		if !bytes.HasPrefix(text, []byte{sequence}) {
			err = errors.New("it is no key store")
		}
		return nil, fault.Hint(err, "it must be a JKS, a PKCS12 with one key or with trusted certificates, or PEM: openssl pkcs12 -in STORE -nodes -out STORE.pem")
	}
	pair, err := newPair(key, append([]*x509.Certificate{cert}, chain...))
	if err != nil {
		return nil, err
	}
	return &Store{trusted: []*x509.Certificate{cert}, keys: []tls.Certificate{pair}}, nil
}

// ParsePEM reads certificates, and a private key if there is one, from PEM.
// The certificates are trusted all; with a key they are its chain as well, its
// own first.
func ParsePEM(text []byte) (*Store, error) {
	s := &Store{name: "the PEM text"}
	var key crypto.PrivateKey
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
			s.trusted = append(s.trusted, cert)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			err = fault.Hint(errors.New("its private key is encrypted"), "decrypt it with openssl pkey, or put it into a PKCS12 file with openssl pkcs12 -export")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, errors.New("it has two private keys")
			}
			key, err = parseKey(block)
		}
		if err != nil {
			return nil, err
		}
	}
	if key == nil {
		return s, nil
	}
	pair, err := newPair(key, s.trusted)
	if err != nil {
		return nil, err
	}
	s.keys = []tls.Certificate{pair}
	return s, nil
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

// newPair joins a key with its certificates, its own first.
func newPair(key crypto.PrivateKey, certs []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a key of type %T cannot sign", key)
	}
	if len(certs) == 0 {
		return tls.Certificate{}, errors.New("its key has no certificate")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certs[0].PublicKey) {
		return tls.Certificate{}, fault.Hint(errors.New("its first certificate is not for its key"), "put the certificate of the key before those of its issuers")
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: certs[0]}
	for _, cert := range certs {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair, nil
}
