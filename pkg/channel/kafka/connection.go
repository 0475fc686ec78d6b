package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// connectionOptions are the properties that Kafka's Java producer and consumer
// have in common: who connects, and how safely.
type connectionOptions struct {
	ClientID         string        `name:"client.id" placeholder:"ID" group:"Connection" help:"What the brokers' logs and quotas call this client."`
	MetadataMaxAge   option.Millis `name:"metadata.max.age.ms" default:"300000" group:"Connection" help:"How soon new partitions are seen at the latest."`
	IdleTimeout      option.Millis `name:"connections.max.idle.ms" default:"540000" group:"Connection" help:"Close a connection that has been idle for this long."`
	SecurityProtocol string        `name:"security.protocol" enum:"PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL" default:"PLAINTEXT" group:"Connection" help:"Whether connections are encrypted, and whether the user says who it is."`

	SASLMechanism string        `name:"sasl.mechanism" default:"GSSAPI" group:"Connection" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."`
	SASLJAAS      option.Secret `name:"sasl.jaas.config" placeholder:"TEXT" group:"Connection" help:"The user, as in: org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p\";"`

	KeyStore         string        `name:"ssl.keystore.location" placeholder:"FILE" group:"Connection" help:"File with this client's key and certificates: PEM, JKS or PKCS12."`
	KeyStorePassword option.Secret `name:"ssl.keystore.password" placeholder:"TEXT" group:"Connection" help:"Password of that file."`
	KeyPassword      option.Secret `name:"ssl.key.password" placeholder:"TEXT" group:"Connection" help:"Password of the key, where it has one of its own."`
	Key              option.Secret `name:"ssl.keystore.key" placeholder:"PEM" group:"Connection" help:"This client's key itself, as PEM."`
	Certificates     string        `name:"ssl.keystore.certificate.chain" placeholder:"PEM" group:"Connection" help:"This client's certificates themselves, as PEM."`
	TrustStore       string        `name:"ssl.truststore.location" placeholder:"FILE" group:"Connection" help:"File with the certificates to trust: PEM, JKS or PKCS12. The default is those of this system."`
	TrustPassword    option.Secret `name:"ssl.truststore.password" placeholder:"TEXT" group:"Connection" help:"Password of that file."`
	Trusted          string        `name:"ssl.truststore.certificates" placeholder:"PEM" group:"Connection" help:"The certificates to trust themselves, as PEM."`
	Protocols        []string      `name:"ssl.enabled.protocols" default:"TLSv1.2,TLSv1.3" group:"Connection" help:"Versions of TLS to allow."`
	CipherSuites     []string      `name:"ssl.cipher.suites" placeholder:"NAMES" group:"Connection" help:"Cipher suites to allow up to TLS 1.2, by their IANA names."`
	Identification   string        `name:"ssl.endpoint.identification.algorithm" default:"https" group:"Connection" help:"https: a broker's certificate must name its host; empty: it need not."`
	NoHostname       option.Bool   `name:"ssl.disableTLSHostnameVerification" default:"false" group:"Connection" help:"Let a broker's certificate name another host."`

	KeyStoreType       string        `name:"ssl.keystore.type" group:"Connection" notice:"what kind a store is of is seen by looking at it"`
	TrustStoreType     string        `name:"ssl.truststore.type" group:"Connection" notice:"what kind a store is of is seen by looking at it"`
	SSLProtocol        string        `name:"ssl.protocol" group:"Connection" notice:"ssl.enabled.protocols says which versions are allowed"`
	SSLProvider        string        `name:"ssl.provider" group:"Connection" notice:"Java's security providers are not here"`
	KeyManager         string        `name:"ssl.keymanager.algorithm" group:"Connection" notice:"Java's security providers are not here"`
	TrustManager       string        `name:"ssl.trustmanager.algorithm" group:"Connection" notice:"Java's security providers are not here"`
	SecureRandom       string        `name:"ssl.secure.random.implementation" group:"Connection" notice:"Java's security providers are not here"`
	EngineFactory      string        `name:"ssl.engine.factory.class" group:"Connection" notice:"Java classes cannot be loaded"`
	SecurityProviders  string        `name:"security.providers" group:"Connection" notice:"Java classes cannot be loaded"`
	CallbackHandler    string        `name:"sasl.client.callback.handler.class" group:"Connection" notice:"Java classes cannot be loaded"`
	LoginHandler       string        `name:"sasl.login.callback.handler.class" group:"Connection" notice:"Java classes cannot be loaded"`
	LoginClass         string        `name:"sasl.login.class" group:"Connection" notice:"Java classes cannot be loaded"`
	MetricReporters    string        `name:"metric.reporters" group:"Connection" notice:"Java classes cannot be loaded"`
	MetricsSamples     string        `name:"metrics.num.samples" group:"Connection" notice:"there are no metrics of Kafka's Java client here"`
	MetricsWindow      string        `name:"metrics.sample.window.ms" group:"Connection" notice:"there are no metrics of Kafka's Java client here"`
	MetricsLevel       string        `name:"metrics.recording.level" group:"Connection" notice:"there are no metrics of Kafka's Java client here"`
	SendBuffer         string        `name:"send.buffer.bytes" group:"Connection" notice:"the system chooses the sizes of sockets' buffers"`
	ReceiveBuffer      string        `name:"receive.buffer.bytes" group:"Connection" notice:"the system chooses the sizes of sockets' buffers"`
	ReconnectBackoff   option.Millis `name:"reconnect.backoff.ms" default:"50" group:"Connection" notice:"the time between two attempts grows from a quarter of a second to two and a half"`
	ReconnectMax       option.Millis `name:"reconnect.backoff.max.ms" default:"1000" group:"Connection" notice:"the time between two attempts grows from a quarter of a second to two and a half"`
	RetryBackoff       option.Millis `name:"retry.backoff.ms" default:"100" group:"Connection" notice:"the time between two attempts grows from a quarter of a second to two and a half"`
	ClientDNSLookup    string        `name:"client.dns.lookup" group:"Connection" notice:"all of a name's addresses are tried"`
	ConnectionSetup    option.Millis `name:"socket.connection.setup.timeout.ms" default:"10000" group:"Connection" notice:"a connection has ten seconds to be made"`
	ConnectionSetupMax option.Millis `name:"socket.connection.setup.timeout.max.ms" default:"30000" group:"Connection" notice:"a connection has ten seconds to be made"`
	Kerberos           string        `name:"sasl.kerberos.service.name" group:"Connection" hidden:""`
}

func (o *connectionOptions) validate(prefix string) error {
	var errs []error
	if o.Kerberos != "" && o.sasl() {
		errs = append(errs, fault.Hint(fmt.Errorf("%ssasl.kerberos.service.name is set, but Kerberos is not supported", prefix), "have the brokers offer SCRAM-SHA-512"))
	}
	if o.MetadataMaxAge <= 0 || o.IdleTimeout <= 0 {
		errs = append(errs, fault.Hint(fmt.Errorf("%smetadata.max.age.ms is %v and connections.max.idle.ms %v", prefix, o.MetadataMaxAge, o.IdleTimeout), "both must be more than 0"))
	}
	if o.sasl() {
		if _, err := o.mechanism(); err != nil {
			errs = append(errs, fmt.Errorf("%s%w", prefix, err))
		}
	}
	if o.tls() {
		if _, _, err := o.versions(); err != nil {
			errs = append(errs, fmt.Errorf("%sssl.enabled.protocols: %w", prefix, err))
		}
		if _, err := o.suites(); err != nil {
			errs = append(errs, fmt.Errorf("%sssl.cipher.suites: %w", prefix, err))
		}
		switch strings.ToLower(o.Identification) {
		case "", "https":
		default:
			errs = append(errs, fault.Hint(fmt.Errorf("%sssl.endpoint.identification.algorithm: %q is not known", prefix, o.Identification), "write https, or nothing"))
		}
	}
	return errors.Join(errs...)
}

func (o *connectionOptions) tls() bool {
	return o.SecurityProtocol == "SSL" || o.SecurityProtocol == "SASL_SSL"
}

func (o *connectionOptions) sasl() bool { return strings.HasPrefix(o.SecurityProtocol, "SASL_") }

// What the client allows itself in place of figures that it would refuse.
const (
	minMetadataAge = 250 * time.Millisecond
	maxMetadataAge = time.Hour
	minIdle        = 100 * time.Millisecond
	maxIdle        = 15 * time.Minute
)

// client returns the options of a client that connects so.
func (o *connectionOptions) client() ([]kgo.Opt, error) {
	id := o.ClientID
	if id == "" {
		id = "flumekit"
	}
	age := min(max(o.MetadataMaxAge.Duration(), minMetadataAge), maxMetadataAge)
	opts := []kgo.Opt{
		kgo.ClientID(id),
		kgo.DisableClientMetrics(),
		kgo.MetadataMaxAge(age),
		kgo.MetadataMinAge(minMetadataAge),
		kgo.ConnIdleTimeout(min(max(o.IdleTimeout.Duration(), minIdle), maxIdle)),
	}
	if o.tls() {
		conf, err := o.tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	if o.sasl() {
		mechanism, err := o.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// mechanism returns how the user says who it is.
func (o *connectionOptions) mechanism() (sasl.Mechanism, error) {
	name := strings.ToUpper(o.SASLMechanism)
	switch name {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		return nil, fault.Hint(fmt.Errorf("sasl.mechanism: %s is not supported", o.SASLMechanism), "write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; Java's default is GSSAPI, which is Kerberos")
	}
	if o.SASLJAAS == "" {
		return nil, fault.Hint(errors.New("sasl.jaas.config is missing"),
			"write it with the user and the password; the file that java.security.auth.login.config names is not read")
	}
	login, err := parseJAAS(string(o.SASLJAAS))
	if err != nil {
		return nil, fmt.Errorf("sasl.jaas.config: %w", err)
	}
	user, password := login.options["username"], login.options["password"]
	if user == "" {
		return nil, fault.Hint(errors.New("sasl.jaas.config names no user"), `write %s required username="u" password="p";`, login.module)
	}
	auth := scram.Auth{User: user, Pass: password, IsToken: strings.EqualFold(login.options["tokenauth"], "true")}
	switch name {
	case "SCRAM-SHA-256":
		return auth.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return auth.AsSha512Mechanism(), nil
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
}
