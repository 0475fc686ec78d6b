package tlsconf_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/tlsconf"
)

// identity is a private key with a self-signed certificate for localhost.
type identity struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, cert}
}

func (id identity) pkcs8(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

const password = "changeit"

// stores writes the identity's key store and trust store in every format.
func (id identity) stores(t *testing.T) map[string]struct{ key, trust string } {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}

	cert := keystore.Certificate{Type: "X.509", Content: id.cert.Raw}
	keys, trusted := keystore.New(), keystore.New()
	if err := keys.SetPrivateKeyEntry("server", keystore.PrivateKeyEntry{
		CreationTime: time.Now(), PrivateKey: id.pkcs8(t), CertificateChain: []keystore.Certificate{cert},
	}, []byte(password)); err != nil {
		t.Fatal(err)
	}
	if err := trusted.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: cert}); err != nil {
		t.Fatal(err)
	}
	var keysJKS, trustedJKS bytes.Buffer
	for store, to := range map[*keystore.KeyStore]*bytes.Buffer{&keys: &keysJKS, &trusted: &trustedJKS} {
		if err := store.Store(to, []byte(password)); err != nil {
			t.Fatal(err)
		}
	}
	keyP12, err := pkcs12.Modern.Encode(id.key, id.cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	trustP12, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{id.cert}, password)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.cert.Raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: id.pkcs8(t)})
	return map[string]struct{ key, trust string }{
		"JKS":    {write("key.jks", keysJKS.Bytes()), write("trust.jks", trustedJKS.Bytes())},
		"PKCS12": {write("key.p12", keyP12), write("trust.p12", trustP12)},
		"PEM":    {write("key.pem", append(certPEM, keyPEM...)), write("trust.pem", certPEM)},
	}
}

func server(file string) *tlsconf.Server {
	return &tlsconf.Server{Enabled: true, Keystore: file, Password: password}
}

func client(file string) *tlsconf.Client {
	return &tlsconf.Client{Enabled: true, Truststore: file, Password: password}
}

// shake shakes hands and returns what was agreed on and the client's error.
func shake(t *testing.T, s *tlsconf.Server, c *tlsconf.Client, name string) (tls.ConnectionState, error) {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	listen, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	dial, err := c.Config(name)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		tls.Server(there, listen).Handshake()
	}()
	conn := tls.Client(here, dial)
	err = conn.Handshake()
	here.Close()
	<-done
	return conn.ConnectionState(), err
}

func TestHandshake(t *testing.T) {
	id := newIdentity(t)
	other := newIdentity(t).stores(t)
	for format, files := range id.stores(t) {
		t.Run(format, func(t *testing.T) {
			state, err := shake(t, server(files.key), client(files.trust), "localhost")
			if err != nil || state.Version != tls.VersionTLS13 {
				t.Errorf("got version %x, %v; want TLS 1.3", state.Version, err)
			}
			if _, err := shake(t, server(files.key), client(other[format].trust), "localhost"); err == nil {
				t.Error("a certificate that is not in the trust store is taken")
			}
			if _, err := shake(t, server(files.key), client(files.key), "localhost"); err != nil {
				t.Errorf("the key store as trust store: %v", err)
			}
		})
	}
}

func TestNameCountsWhenAsked(t *testing.T) {
	files := newIdentity(t).stores(t)["PEM"]
	c := client(files.trust)
	if _, err := shake(t, server(files.key), c, "collector.example"); err != nil {
		t.Errorf("without verify-hostname: %v", err)
	}
	c.VerifyHostname = true
	if _, err := shake(t, server(files.key), c, "collector.example"); err == nil {
		t.Error("verify-hostname takes a certificate for another name")
	}
}

func TestSystemTrust(t *testing.T) {
	files := newIdentity(t).stores(t)["PEM"]
	c := &tlsconf.Client{Enabled: true}
	if _, err := shake(t, server(files.key), c, "localhost"); err == nil {
		t.Error("a certificate that the system does not trust is taken")
	}
	c.TrustAll = true
	if _, err := shake(t, server(files.key), c, "localhost"); err != nil {
		t.Errorf("trust-all-certs: %v", err)
	}
}

func TestDisabled(t *testing.T) {
	if config, err := new(tlsconf.Server).Config(); config != nil || err != nil {
		t.Errorf("Server: got %v, %v; want none", config, err)
	}
	if config, err := new(tlsconf.Client).Config("x"); config != nil || err != nil {
		t.Errorf("Client: got %v, %v; want none", config, err)
	}
}

func TestPasswords(t *testing.T) {
	id := newIdentity(t)
	files := id.stores(t)
	t.Run("from a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &tlsconf.Server{Enabled: true, Keystore: files["JKS"].key, PasswordFile: file}
		if _, err := s.Config(); err != nil {
			t.Error(err)
		}
	})
	t.Run("none for a JKS of certificates", func(t *testing.T) {
		c := client(files["JKS"].trust)
		c.Password = ""
		if _, err := shake(t, server(files["JKS"].key), c, "localhost"); err != nil {
			t.Error(err)
		}
	})
	for _, format := range []string{"JKS", "PKCS12"} {
		t.Run("wrong for "+format, func(t *testing.T) {
			s := server(files[format].key)
			s.Password = "guess"
			_, err := s.Config()
			if err == nil || !strings.Contains(err.Error(), s.Keystore) || strings.Contains(err.Error(), "guess") {
				t.Errorf("got %v; want an error that names the file", err)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	files := newIdentity(t).stores(t)["JKS"]
	for name, value := range map[string]string{
		"FLUME_SSL_KEYSTORE_PATH":       files.key,
		"FLUME_SSL_KEYSTORE_PASSWORD":   password,
		"FLUME_SSL_TRUSTSTORE_PATH":     files.trust,
		"FLUME_SSL_TRUSTSTORE_PASSWORD": password,
		"FLUME_SSL_INCLUDE_PROTOCOLS":   "TLSv1.1,TLSv1.2",
		"FLUME_SSL_EXCLUDE_PROTOCOLS":   "TLSv1.1",
	} {
		t.Setenv(name, value)
	}
	state, err := shake(t, &tlsconf.Server{Enabled: true}, &tlsconf.Client{Enabled: true}, "localhost")
	if err != nil || state.Version != tls.VersionTLS12 {
		t.Errorf("got version %x, %v; want TLS 1.2", state.Version, err)
	}
}

func TestLimits(t *testing.T) {
	const ecdsa12 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	files := newIdentity(t).stores(t)["PEM"]
	for _, tt := range []struct {
		name    string
		limits  tlsconf.Limits
		version uint16
		suite   string
	}{
		{"none", tlsconf.Limits{}, tls.VersionTLS13, ""},
		{"a protocol excluded", tlsconf.Limits{ExcludeProtocols: []string{"SSLv3", "TLSv1.3"}}, tls.VersionTLS12, ""},
		{"a protocol included", tlsconf.Limits{IncludeProtocols: []string{"tlsv1.2", "SSLv3"}}, tls.VersionTLS12, ""},
		{"a suite of TLS 1.2 included", tlsconf.Limits{IncludeSuites: []string{ecdsa12}}, tls.VersionTLS12, ecdsa12},
		{"some suites of TLS 1.3 excluded", tlsconf.Limits{ExcludeSuites: []string{"TLS_AES_128_GCM_SHA256"}}, tls.VersionTLS12, ""},
		{"all suites of TLS 1.3 included", tlsconf.Limits{IncludeSuites: []string{
			"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}}, tls.VersionTLS13, ""},
		{"suites excluded that are not there", tlsconf.Limits{ExcludeSuites: []string{"SSL_RSA_WITH_RC4_128_MD5"}}, tls.VersionTLS13, ""},
		{"Java's old prefix", tlsconf.Limits{IncludeSuites: []string{"SSL" + ecdsa12[3:]}}, tls.VersionTLS12, ecdsa12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server(files.key)
			s.Limits = tt.limits
			state, err := shake(t, s, client(files.trust), "localhost")
			suite := tls.CipherSuiteName(state.CipherSuite)
			if err != nil || state.Version != tt.version || tt.suite != "" && suite != tt.suite {
				t.Errorf("got %x with %s, %v; want %x with %s", state.Version, suite, err, tt.version, tt.suite)
			}
			if slices.Contains(tt.limits.ExcludeSuites, suite) {
				t.Errorf("%s is used and was excluded", suite)
			}
		})
	}
}

func TestLimitsRefused(t *testing.T) {
	for _, tt := range []struct {
		limits tlsconf.Limits
		want   string
	}{
		{tlsconf.Limits{IncludeProtocols: []string{"TLS1.2"}}, `include-protocols has "TLS1.2", which is no protocol`},
		{tlsconf.Limits{IncludeProtocols: []string{"SSLv3"}}, "include-protocols leaves no protocol to speak"},
		{tlsconf.Limits{ExcludeProtocols: []string{"TLSv1.2", "TLSv1.3"}}, "exclude-protocols leaves no protocol to speak"},
		{tlsconf.Limits{IncludeProtocols: []string{"TLSv1", "TLSv1.2"}}, "include-protocols leaves a gap between protocols"},
		{tlsconf.Limits{ExcludeSuites: []string{"RC4"}}, `exclude-cipher-suites has "RC4", which is no cipher suite`},
		{tlsconf.Limits{IncludeSuites: []string{"TLS_DHE_DSS_WITH_AES_128_CBC_SHA"}}, "include-cipher-suites leaves no cipher suite to use"},
		{tlsconf.Limits{IncludeSuites: []string{"TLS_AES_128_GCM_SHA256"}}, "include-cipher-suites leaves no cipher suite to use"},
	} {
		if err := tt.limits.Validate(); err == nil || err.Error() != tt.want {
			t.Errorf("got %v; want %s", err, tt.want)
		}
	}
}

func TestServerRefused(t *testing.T) {
	id := newIdentity(t)
	files := id.stores(t)
	dir := t.TempDir()
	other := filepath.Join(dir, "other.pem")
	if err := os.WriteFile(other, slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newIdentity(t).cert.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: id.pkcs8(t)})), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"no such file":           filepath.Join(dir, "absent"),
		"no key in it":           files["PEM"].trust,
		"only certificates":      files["JKS"].trust,
		"another key's":          other,
		"not a key store at all": "tlsconf_test.go",
	} {
		t.Run(name, func(t *testing.T) {
			if config, err := server(file).Config(); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, %v; want an error that names the file", config, err)
			}
		})
	}
}

// TestNoKeyStore has the reason be one that tells something.
func TestNoKeyStore(t *testing.T) {
	_, err := tlsconf.Keystore("tlsconf_test.go", "")
	if got := strings.Join(fault.Lines(err), "\n"); !strings.HasPrefix(got, "error: tlsconf_test.go: it is no key store\nhint: it must be ") {
		t.Errorf("got %q; want that it is no key store, and what it must be", got)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.3": tls.VersionTLS13, "SSLv3": 0, "TLS": 0} {
		if got, ok := tlsconf.Version(name); got != want || ok != (want != 0) {
			t.Errorf("Version(%s): got %x, %t; want %x", name, got, ok, want)
		}
	}
	const suite = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
	for name, want := range map[string]uint16{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": suite, "SSL_ECDHE_RSA_WITH_AES_128_CBC_SHA": suite, "AES": 0} {
		if got, ok := tlsconf.CipherSuite(name); got != want || ok != (want != 0) {
			t.Errorf("CipherSuite(%s): got %x, %t; want %x", name, got, ok, want)
		}
	}
}

// TestNoStore is what a component asks for that need not have a store.
func TestNoStore(t *testing.T) {
	for name, read := range map[string]func(string, string) (*tlsconf.Store, error){"Keystore": tlsconf.Keystore, "Truststore": tlsconf.Truststore} {
		if store, err := read("", ""); store != nil || err != nil {
			t.Errorf("%s: got %v, %v; want none", name, store, err)
		}
	}
	if _, err := (&tlsconf.Server{Enabled: true}).Config(); err == nil {
		t.Error("a server without a key store is taken")
	}
}

func TestValidate(t *testing.T) {
	both := tlsconf.Server{Enabled: true, Keystore: "k", Password: "p", PasswordFile: "f"}
	none := tlsconf.Server{Enabled: true}
	trust := tlsconf.Client{Enabled: true, Password: option.Secret("p"), PasswordFile: "f"}
	for want, err := range map[string]error{
		"keystore must be specified when SSL is enabled": none.Validate(),
		"keystore-password-file ":                        both.Validate(),
		"truststore-password-file ":                      trust.Validate(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v; want %s…", err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct {
		of   interface{ Warnings() []error }
		want string
	}{
		"a server in the clear": {&tlsconf.Server{Keystore: "k"}, "[keystore is set, and ssl is not: nothing is encrypted]"},
		"a client in the clear": {&tlsconf.Client{Truststore: "k"}, "[truststore is set, and ssl is not: nothing is encrypted]"},
		"a server with TLS":     {&tlsconf.Server{Enabled: true, Keystore: "k"}, "[]"},
		"a client with TLS":     {&tlsconf.Client{Enabled: true, Truststore: "k"}, "[]"},
		"neither":               {&tlsconf.Server{}, "[]"},
	} {
		if got := fmt.Sprint(tt.of.Warnings()); got != tt.want {
			t.Errorf("%s: got %s; want %s", name, got, tt.want)
		}
	}
}

// TestKeytool reads what Java's own tool writes.
func TestKeytool(t *testing.T) {
	if _, err := exec.LookPath("keytool"); err != nil {
		t.Skip("there is no keytool on PATH")
	}
	for _, format := range []string{"JKS", "PKCS12"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			keys, cert, trust := filepath.Join(dir, "keys"), filepath.Join(dir, "cert"), filepath.Join(dir, "trust")
			keytool(t, "-genkeypair", "-alias", "a1", "-keyalg", "RSA", "-dname", "CN=localhost", "-keystore", keys, "-storetype", format)
			keytool(t, "-exportcert", "-alias", "a1", "-keystore", keys, "-file", cert)
			keytool(t, "-importcert", "-noprompt", "-alias", "a1", "-file", cert, "-keystore", trust, "-storetype", format)
			if _, err := shake(t, server(keys), client(trust), "localhost"); err != nil {
				t.Error(err)
			}
		})
	}
}

func keytool(t *testing.T, args ...string) {
	t.Helper()
	args = append(args, "-storepass", password)
	if out, err := exec.CommandContext(t.Context(), "keytool", args...).CombinedOutput(); err != nil {
		t.Fatalf("keytool %v: %v\n%s", args, err, out)
	}
}
