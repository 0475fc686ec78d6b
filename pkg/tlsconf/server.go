package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

// Server is the options of a component that listens.
type Server struct {
	Enabled      option.Bool   `name:"ssl" default:"false" help:"Speak TLS."`
	Keystore     string        `name:"keystore" placeholder:"FILE" help:"Key store with the private key and its certificates: JKS, PKCS12, or PEM with both in one file."`
	Password     option.Secret `name:"keystore-password" placeholder:"PASSWORD" help:"Password of the key store and of the key in it."`
	PasswordFile string        `name:"keystore-password-file" placeholder:"FILE" help:"File that holds the password alone."`
	Type         string        `name:"keystore-type" enum:"JKS,PKCS12,PEM" default:"JKS" help:"What the key store is. What the file begins with decides, so it need not be set."`
	Limits       Limits        `embed:""`
}

// Warnings returns what of the values has no effect.
func (s *Server) Warnings() []error {
	if bool(s.Enabled) || s.Keystore == "" {
		return nil
	}
	return []error{fault.Hint(errors.New("keystore is set, and ssl is not: nothing is encrypted"), "set ssl to true, or take keystore out")}
}

// Validate checks what the values alone can tell.
func (s *Server) Validate() error {
	switch {
	case !bool(s.Enabled):
		return nil
	case s.path() == "":
		return fault.Hint(errors.New("keystore must be specified when SSL is enabled"),
			"set keystore, or FLUME_SSL_KEYSTORE_PATH in the environment")
	case s.Password != "" && s.PasswordFile != "":
		return errors.New("keystore-password-file is set, and so is keystore-password; one of them must go")
	}
	return nil
}

// path returns where the key store is.
func (s *Server) path() string { return or(s.Keystore, keystorePath) }

// Config reads the key store and returns what to listen with, nil if ssl is
// false. Every private key of the store serves the names that its certificate
// is for; a client that asks for none of them gets the first by alias.
//
// Clients are not asked for certificates, as Flume does not.
func (s *Server) Config() (*tls.Config, error) {
	if !s.Enabled {
		return nil, nil
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	password, err := secret(s.Password, s.PasswordFile)
	if err != nil {
		return nil, fault.Hint(err, "keystore-password-file names it")
	}
	store, err := Keystore(s.Keystore, password)
	if err != nil {
		return nil, fmt.Errorf("reading keystore: %w", err)
	}
	keys, err := store.Keys("")
	if err != nil {
		return nil, fmt.Errorf("reading keystore: %w", err)
	}
	config := &tls.Config{Certificates: keys}
	if err := s.Limits.apply(config); err != nil {
		return nil, err
	}
	return config, nil
}
