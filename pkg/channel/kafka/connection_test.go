package kafka

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

func TestParseJAAS(t *testing.T) {
	for _, tt := range []struct {
		text, module, err string
		options           map[string]string
	}{
		{text: `a.B required username="u" password="p";`, module: "a.B", options: map[string]string{"username": "u", "password": "p"}},
		{text: "a.B required\n\tusername='u'\n\tpassword=p ;", module: "a.B", options: map[string]string{"username": "u", "password": "p"}},
		{text: `a.B REQUIRED username = "u" password="a;b=\"c\"\\d";`, module: "a.B", options: map[string]string{"username": "u", "password": `a;b="c"\d`}},
		{text: `a.B required;`, module: "a.B"},
		{text: `a.B required username="u"`, err: "does not end with a semicolon"},
		{text: `a.B required username="u;`, err: "a quotation mark is not closed"},
		{text: `a.B username="u";`, err: "not followed by required"},
		{text: `a.B required username;`, err: "not of the form name=value"},
		{text: ``, err: "semicolon"},
	} {
		got, err := parseJAAS(tt.text)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: got %v; want …%s…", tt.text, err, tt.err)
			}
		case err != nil || got.module != tt.module || !maps.Equal(got.options, tt.options):
			t.Errorf("%s: got %v, %v; want %s %v", tt.text, got, err, tt.module, tt.options)
		}
	}
}

const password = "changeit"

// stores is a key with its certificate, in a file of each kind.
func stores(t *testing.T) (key, trust map[string]string, pair tls.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"elsewhere"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte, err error) string {
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	pemCert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	chain := []keystore.Certificate{{Type: "X509", Content: der}}
	jks := func(add func(*keystore.KeyStore) error) ([]byte, error) {
		var text bytes.Buffer
		store := keystore.New()
		if err := add(&store); err != nil {
			return nil, err
		}
		err := store.Store(&text, []byte(password))
		return text.Bytes(), err
	}
	jksKey, err := jks(func(s *keystore.KeyStore) error {
		return s.SetPrivateKeyEntry("me", keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: pkcs8, CertificateChain: chain}, []byte(password))
	})
	if err != nil {
		t.Fatal(err)
	}
	jksTrust, err := jks(func(s *keystore.KeyStore) error {
		return s.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: chain[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
	p12Key, err := pkcs12.Modern.Encode(private, cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	p12Trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{cert}, password)
	key = map[string]string{
		"PEM": write("key.pem", append(pemKey, pemCert...), nil), "JKS": write("key.jks", jksKey, nil), "PKCS12": write("key.p12", p12Key, nil),
	}
	trust = map[string]string{
		"PEM": write("trust.pem", pemCert, nil), "JKS": write("trust.jks", jksTrust, nil), "PKCS12": write("trust.p12", p12Trust, err),
	}
	return key, trust, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

func TestTLS(t *testing.T) {
	key, trust, pair := stores(t)
	clients := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	clients.AddCert(leaf)
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, ClientCAs: clients,
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	open := func(keyFile, trustFile, secret, identification string) error {
		o := Options{Servers: k.ListenAddrs(), Topic: "t"}
		o.Producer.MaxRequestSize = 1 << 20
		o.Producer.Connection = connectionOptions{
			MetadataMaxAge: option.Millis(time.Minute), IdleTimeout: option.Millis(time.Minute), SecurityProtocol: "SSL",
			KeyStore: keyFile, KeyStorePassword: option.Secret(secret), TrustStore: trustFile, TrustPassword: option.Secret(secret),
			Protocols: []string{"TLSv1.2", "TLSv1.3"}, Identification: identification,
		}
		opts, err := o.Producer.Connection.client()
		if err != nil {
			return err
		}
		_, err = check(t.Context(), &o, append(opts, kgo.SeedBrokers(o.Servers...)))
		return err
	}
	for kind := range key {
		t.Run(kind, func(t *testing.T) {
			if err := open(key[kind], trust[kind], password, ""); err != nil {
				t.Error(strings.Join(fault.Lines(err), "\n"))
			}
			if err := open(key[kind], trust[kind], password, "https"); err == nil || !strings.Contains(err.Error(), "names another host") {
				t.Errorf("a certificate for another host: got %v", err)
			}
			if err := open(key[kind], trust[kind], "wrong", ""); kind != "PEM" && (err == nil || !strings.Contains(strings.Join(fault.Lines(err), "\n"), "password")) {
				t.Errorf("a wrong password: got %v", err)
			}
		})
	}
	t.Run("a key with a password of its own, and texts", func(t *testing.T) {
		o := connectionOptions{KeyStore: ownPassword(t, pair), KeyStorePassword: password}
		if _, err := o.identity(); err == nil || !strings.Contains(err.Error(), "reading ssl.keystore.location") {
			t.Errorf("without ssl.key.password: got %v", err)
		}
		o.KeyPassword = "key"
		if got, err := o.identity(); err != nil || len(got) != 1 || !bytes.Equal(got[0].Certificate[0], pair.Certificate[0]) {
			t.Errorf("with ssl.key.password: got %d, %v; want the key", len(got), err)
		}
		read := func(file string) string {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		certs := read(trust["PEM"])
		private := strings.Replace(read(key["PEM"]), certs, "", 1)
		o = connectionOptions{Key: option.Secret(private), Certificates: certs, Trusted: certs, KeyStore: "/no/such/file", TrustStore: "/no/such/file"}
		if got, err := o.identity(); err != nil || len(got) != 1 || !bytes.Equal(got[0].Certificate[0], pair.Certificate[0]) {
			t.Errorf("ssl.keystore.key: got %d, %v; want the key", len(got), err)
		}
		if got, err := o.trusted(); err != nil || got == nil || !got.Equal(clients) {
			t.Errorf("ssl.truststore.certificates: got %v, %v; want the certificate", got, err)
		}
		o.Key, o.Trusted = "none", "none"
		if _, err := o.identity(); err == nil || !strings.HasPrefix(err.Error(), "ssl.keystore.key: ") {
			t.Errorf("a key that is none: got %v", err)
		}
		if _, err := o.trusted(); err == nil || !strings.HasPrefix(err.Error(), "ssl.truststore.certificates: ") {
			t.Errorf("a certificate that is none: got %v", err)
		}
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		if err := open(key["PEM"], "", "", ""); err == nil || !strings.Contains(err.Error(), "is not trusted") {
			t.Errorf("got %v", err)
		}
	})
}

// ownPassword writes a JKS whose key has another password than its store.
func ownPassword(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	store := keystore.New()
	if err := store.SetPrivateKeyEntry("me", keystore.PrivateKeyEntry{
		CreationTime: time.Now(), PrivateKey: pkcs8, CertificateChain: []keystore.Certificate{{Type: "X509", Content: pair.Certificate[0]}},
	}, []byte("key")); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := store.Store(&text, []byte(password)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "own.jks")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
