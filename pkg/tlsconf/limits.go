package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Limits is which protocols and cipher suites may be spoken.
//
// TLSv1.2 and TLSv1.3 are on, as in Java since 2021; TLSv1 and TLSv1.1 where
// include-protocols names them.
type Limits struct {
	IncludeProtocols []string `name:"include-protocols" sep:" " placeholder:"NAMES" help:"Protocols to speak and no others: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3."`
	ExcludeProtocols []string `name:"exclude-protocols" sep:" " placeholder:"NAMES" help:"Protocols not to speak. SSLv3 is never spoken."`
	IncludeSuites    []string `name:"include-cipher-suites" sep:" " placeholder:"NAMES" help:"Cipher suites to use and no others, by the names that Java has for them."`
	ExcludeSuites    []string `name:"exclude-cipher-suites" sep:" " placeholder:"NAMES" help:"Cipher suites not to use."`
}

// protocols are Java's names; 0 is what Go does not speak at all.
var protocols = []struct {
	name    string
	version uint16
}{
	{"SSLv2Hello", 0},
	{"SSLv3", 0},
	{"TLSv1", tls.VersionTLS10},
	{"TLSv1.1", tls.VersionTLS11},
	{"TLSv1.2", tls.VersionTLS12},
	{"TLSv1.3", tls.VersionTLS13},
}

// withEnvironment returns l with the environment's lists where it has none.
func (l *Limits) withEnvironment() Limits {
	return Limits{
		IncludeProtocols: orList(l.IncludeProtocols, "FLUME_SSL_INCLUDE_PROTOCOLS"),
		ExcludeProtocols: orList(l.ExcludeProtocols, "FLUME_SSL_EXCLUDE_PROTOCOLS"),
		IncludeSuites:    orList(l.IncludeSuites, "FLUME_SSL_INCLUDE_CIPHERSUITES"),
		ExcludeSuites:    orList(l.ExcludeSuites, "FLUME_SSL_EXCLUDE_CIPHERSUITES"),
	}
}

// Validate checks that the names are such and that they leave something to
// speak.
//
// Flume: passes over names that Java does not know, so that a misspelt
// exclusion excludes nothing.
func (l *Limits) Validate() error {
	return l.apply(new(tls.Config))
}

// apply sets the protocols and cipher suites of config.
func (l *Limits) apply(config *tls.Config) error {
	all := l.withEnvironment()
	if err := all.applyProtocols(config); err != nil {
		return err
	}
	return all.applySuites(config)
}

func (l *Limits) applyProtocols(config *tls.Config) error {
	included, err := versions("include-protocols", l.IncludeProtocols)
	if err != nil {
		return err
	}
	excluded, err := versions("exclude-protocols", l.ExcludeProtocols)
	if err != nil {
		return err
	}
	if len(l.IncludeProtocols) == 0 {
		included = []uint16{tls.VersionTLS12, tls.VersionTLS13}
	}
	included = slices.DeleteFunc(included, func(v uint16) bool { return v == 0 || slices.Contains(excluded, v) })
	if len(included) == 0 {
		return fault.Hint(fmt.Errorf("%s leaves no protocol to speak", l.protocolsProperty()), "leave TLSv1.2 or TLSv1.3")
	}
	slices.Sort(included)
	included = slices.Compact(included)
	config.MinVersion, config.MaxVersion = included[0], included[len(included)-1]
	if int(config.MaxVersion-config.MinVersion) != len(included)-1 {
		return fault.Hint(fmt.Errorf("%s leaves a gap between protocols", l.protocolsProperty()), "leave those that follow one another, such as TLSv1.2 and TLSv1.3")
	}
	return nil
}

// protocolsProperty names the property to blame for the protocols that are left.
func (l *Limits) protocolsProperty() string {
	if len(l.ExcludeProtocols) > 0 {
		return "exclude-protocols"
	}
	return "include-protocols"
}

// versions returns the versions that the names stand for.
func versions(property string, names []string) ([]uint16, error) {
	var found []uint16
	for _, name := range names {
		version, ok := protocol(name)
		if !ok {
			known := make([]string, len(protocols))
			for i, p := range protocols {
				known[i] = p.name
			}
			return nil, fault.Hint(fmt.Errorf("%s has %q, which is no protocol", property, name), "the protocols are %s", strings.Join(known, ", "))
		}
		found = append(found, version)
	}
	return found, nil
}

func protocol(name string) (version uint16, ok bool) {
	for _, p := range protocols {
		if strings.EqualFold(p.name, name) {
			return p.version, true
		}
	}
	return 0, false
}

// Version returns the version of TLS that has the name in Java, such as
// TLSv1.2, and whether it can be spoken here.
func Version(name string) (version uint16, ok bool) {
	version, _ = protocol(name)
	return version, version != 0
}

// CipherSuite returns the cipher suite that has the name in Java, and whether
// it can be used here.
func CipherSuite(name string) (id uint16, ok bool) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if sameSuite(name, suite.Name) {
			return suite.ID, true
		}
	}
	return 0, false
}

// applySuites sets the cipher suites of TLS 1.2 and before. Those of TLS 1.3
// are all on or off in Go: where the lists want some of them and not others,
// TLS 1.3 is not spoken.
func (l *Limits) applySuites(config *tls.Config) error {
	if err := checkSuites("include-cipher-suites", l.IncludeSuites); err != nil {
		return err
	}
	if err := checkSuites("exclude-cipher-suites", l.ExcludeSuites); err != nil {
		return err
	}
	if len(l.IncludeSuites)+len(l.ExcludeSuites) == 0 {
		return nil
	}
	suites := tls.CipherSuites()
	if len(l.IncludeSuites) > 0 {
		suites = append(suites, tls.InsecureCipherSuites()...)
	}
	newest, left := 0, 0
	for _, suite := range suites {
		isNewest := slices.Contains(suite.SupportedVersions, tls.VersionTLS13)
		if isNewest {
			newest++
		}
		if len(l.IncludeSuites) > 0 && !named(l.IncludeSuites, suite.Name) || named(l.ExcludeSuites, suite.Name) {
			continue
		}
		if isNewest {
			left++
		} else if slices.ContainsFunc(suite.SupportedVersions, func(v uint16) bool { return config.MinVersion <= v && v <= config.MaxVersion }) {
			config.CipherSuites = append(config.CipherSuites, suite.ID)
		}
	}
	if config.MaxVersion == tls.VersionTLS13 && left < newest {
		config.MaxVersion = tls.VersionTLS12
	}
	if config.MaxVersion < tls.VersionTLS13 && len(config.CipherSuites) == 0 || config.MaxVersion < config.MinVersion {
		return l.noSuite()
	}
	if config.MinVersion < tls.VersionTLS13 && len(config.CipherSuites) == 0 {
		config.MinVersion = tls.VersionTLS13
	}
	return nil
}

// checkSuites checks that names look like those of cipher suites. Those that
// are not in Go are fit to be excluded all the same.
func checkSuites(property string, names []string) error {
	for _, name := range names {
		if !strings.HasPrefix(name, "TLS_") && !strings.HasPrefix(name, "SSL_") {
			return fault.Hint(fmt.Errorf("%s has %q, which is no cipher suite", property, name),
				"write Java's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, with blanks between")
		}
	}
	return nil
}

// noSuite says that no cipher suite is left.
func (l *Limits) noSuite() error {
	err := errors.New("exclude-cipher-suites leaves no cipher suite to use")
	if len(l.IncludeSuites) > 0 {
		err = errors.New("include-cipher-suites leaves no cipher suite to use")
	}
	var names []string
	for _, suite := range tls.CipherSuites() {
		names = append(names, suite.Name)
	}
	return fault.Hint(err, "there are %s; those of TLSv1.3 can be had only all together", strings.Join(names, ", "))
}

// named reports whether names has the suite.
func named(names []string, suite string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return sameSuite(name, suite) })
}

// sameSuite reports whether name is the suite's, which older Java calls SSL_….
func sameSuite(name, suite string) bool {
	return name == suite || "TLS_"+strings.TrimPrefix(name, "SSL_") == suite
}
