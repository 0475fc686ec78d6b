package hdfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/krberror"

	"github.com/flumekit/flumekit/pkg/fault"
)

// logIn returns a Kerberos client: of the principal and keytab, or else with
// the tickets that kinit has got.
func (o *Options) logIn() (*client.Client, error) {
	path := cmp.Or(os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf")
	conf, err := config.Load(path)
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("reading Kerberos's configuration: %w", err), "set KRB5_CONFIG to its path")
	}
	if o.KerberosPrincipal == "" {
		return fromCache(conf)
	}
	keys, err := keytab.Load(o.KerberosKeytab)
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("hdfs.kerberosKeytab %q cannot be read: %w", o.KerberosKeytab, err), "name a keytab that this user can read")
	}
	name, realm, err := principal(o.KerberosPrincipal, conf.LibDefaults.DefaultRealm)
	if err != nil {
		return nil, err
	}
	c := client.NewWithKeytab(name, realm, keys, conf, client.DisablePAFXFAST(true))
	if err := c.Login(); err != nil && !away(err) {
		return nil, fault.Hint(fmt.Errorf("logging in to Kerberos as %s@%s: %w", name, realm, err), "try it by kinit -k -t %s %s@%s", o.KerberosKeytab, name, realm)
	}
	return c, nil
}

// away reports whether no Kerberos server answers. Then the client logs in when it
// is needed first.
func away(err error) bool {
	var cause krberror.Krberror
	return errors.As(err, &cause) && cause.RootCause == krberror.NetworkingError
}

// principal takes a principal apart. _HOST in it is this host's name.
func principal(text, realm string) (name, in string, err error) {
	name, in, ok := strings.Cut(text, "@")
	if !ok {
		in = realm
	}
	if strings.HasSuffix(name, "/_HOST") {
		host, err := os.Hostname()
		if err != nil {
			return "", "", fmt.Errorf("finding this host's name: %w", err)
		}
		name = strings.TrimSuffix(name, "_HOST") + strings.ToLower(host)
	}
	return name, in, nil
}

func fromCache(conf *config.Config) (*client.Client, error) {
	path := strings.TrimPrefix(cmp.Or(os.Getenv("KRB5CCNAME"), fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid())), "FILE:")
	cache, err := credentials.LoadCCache(path)
	if err == nil {
		var c *client.Client
		if c, err = client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true)); err == nil {
			return c, nil
		}
	}
	return nil, fault.Hint(fmt.Errorf("the cluster has Kerberos, and there is no ticket in %s: %w", path, err), "set hdfs.kerberosPrincipal and hdfs.kerberosKeytab, or run kinit")
}
