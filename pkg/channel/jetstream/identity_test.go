package jetstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/channeltest"
	"github.com/flumekit/flumekit/pkg/channel/jetstream"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// authority makes certificates.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.issue(t, "ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.crt and NAME.key, valid for the server name NAME.
func (a *authority) issue(t *testing.T, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if a.cert == nil {
		cert.IsCA, cert.BasicConstraintsValid = true, true
		a.cert, a.key = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdentity(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "nats.example")
	a.issue(t, "client")
	pair, err := tls.LoadX509KeyPair(a.file("nats.example.crt"), a.file("nats.example.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(a.file("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(text)
	withTLS := func(auth tls.ClientAuthType) func(*server.Options) {
		return func(o *server.Options) {
			o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: auth}
		}
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file("user.nk"), seed, 0o600); err != nil {
		t.Fatal(err)
	}
	operator := withOperator(t, a.file("user.creds"))
	password := a.file("password")
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		server func(*server.Options)
		set    func(*jetstream.Options)
		want   string // of an error
	}{
		{"a user", func(o *server.Options) { o.Username, o.Password = "me", "s3cret" },
			func(o *jetstream.Options) { o.User, o.Password = "me", "s3cret" }, ""},
		{"a password in a file", func(o *server.Options) { o.Username, o.Password = "me", "s3cret" },
			func(o *jetstream.Options) { o.User, o.PasswordFile = "me", password }, ""},
		{"a wrong password", func(o *server.Options) { o.Username, o.Password = "me", "s3cret" },
			func(o *jetstream.Options) { o.User, o.Password = "me", "other" }, "Authorization Violation"},
		{"a token", func(o *server.Options) { o.Authorization = "t0ken" },
			func(o *jetstream.Options) { o.Token = "t0ken" }, ""},
		{"no token", func(o *server.Options) { o.Authorization = "t0ken" },
			func(o *jetstream.Options) {}, "Authorization Violation"},
		{"an nkey", func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} },
			func(o *jetstream.Options) { o.NKey = a.file("user.nk") }, ""},
		{"TLS", withTLS(tls.NoClientCert),
			func(o *jetstream.Options) { o.TLSCA, o.TLSName = a.file("ca.crt"), "nats.example" }, ""},
		{"TLS with the wrong name", withTLS(tls.NoClientCert),
			func(o *jetstream.Options) { o.TLSCA, o.TLSName = a.file("ca.crt"), "other.example" }, "certificate is valid for nats.example, not other.example"},
		{"TLS with an authority that is not trusted", withTLS(tls.NoClientCert),
			func(o *jetstream.Options) { o.TLSName = "nats.example" }, "certificate signed by unknown authority"},
		{"TLS with a client's certificate", withTLS(tls.RequireAndVerifyClientCert),
			func(o *jetstream.Options) {
				o.TLSCA, o.TLSName, o.TLSCert, o.TLSKey = a.file("ca.crt"), "nats.example", a.file("client.crt"), a.file("client.key")
			}, ""},
		{"TLS first", func(o *server.Options) {
			withTLS(tls.NoClientCert)(o)
			o.TLSHandshakeFirst = true
		}, func(o *jetstream.Options) {
			o.TLSCA, o.TLSName, o.TLSFirst = a.file("ca.crt"), "nats.example", true
		}, ""},
		{"an authority's file that is none", withTLS(tls.NoClientCert),
			func(o *jetstream.Options) { o.TLSCA = password }, "has no certificate"},
		{"credentials", operator, func(o *jetstream.Options) { o.Creds = a.file("user.creds") }, ""},
		{"credentials that are not there", func(*server.Options) {},
			func(o *jetstream.Options) { o.Creds = a.file("no.creds") }, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.server)
			o := options(s.ClientURL())
			tt.set(o)
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			c, err := o.Open(logged(t), nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v; want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer shut(t, c)
			channeltest.Put(t, c.Putter(), "a")
			wantBodies(t, drain(t, c), "a")
		})
	}
}

// withOperator makes a server one of an operator's, with one account that may use
// JetStream, and writes the credentials of a user of that account.
func withOperator(t *testing.T, creds string) func(*server.Options) {
	t.Helper()
	keys := make([]nkeys.KeyPair, 4)
	public := make([]string, 4)
	for i, create := range []func() (nkeys.KeyPair, error){nkeys.CreateOperator, nkeys.CreateAccount, nkeys.CreateUser, nkeys.CreateAccount} {
		var err error
		if keys[i], err = create(); err != nil {
			t.Fatal(err)
		}
		if public[i], err = keys[i].PublicKey(); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(c jwt.Claims, by nkeys.KeyPair) string {
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator := jwt.NewOperatorClaims(public[0])
	account := jwt.NewAccountClaims(public[1])
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	seed, err := keys[2].Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(encode(jwt.NewUserClaims(public[2]), keys[1]), seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(creds, text, 0o600); err != nil {
		t.Fatal(err)
	}
	encode(operator, keys[0])
	resolver := new(server.MemAccResolver)
	for _, a := range []*jwt.AccountClaims{account, jwt.NewAccountClaims(public[3])} {
		if err := resolver.Store(a.Subject, encode(a, keys[0])); err != nil {
			t.Fatal(err)
		}
	}
	return func(o *server.Options) {
		o.TrustedOperators = []*jwt.OperatorClaims{operator}
		o.AccountResolver = resolver
		o.SystemAccount = public[3]
	}
}

func wantBodies(t *testing.T, got []string, want string) {
	t.Helper()
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got %q; want %q", text, want)
	}
}

func TestNoServer(t *testing.T) {
	h := newHub(t)
	o := options(h.client())
	o.ConnectWait = option.Seconds(100 * time.Millisecond)
	_, err := o.Open(logged(t), nil)
	if fault.Status(err) != fault.TryAgain || !strings.Contains(err.Error(), h.client()) {
		t.Errorf("got %v, status %d; want %s in it, and status %d", err, fault.Status(err), h.client(), fault.TryAgain)
	}
	// With 0 it waits until there is one.
	o.ConnectWait = 0
	opened := make(chan channel.Channel)
	ctx := logged(t)
	go func() {
		c, err := o.Open(ctx, nil)
		if err != nil {
			t.Error(err)
		}
		opened <- c
	}()
	h.start(t)
	if c := <-opened; c != nil {
		shut(t, c)
	}
}
