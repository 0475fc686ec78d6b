package hdfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/flumekit/flumekit/pkg/sink/sinktest"
)

// A Kerberos server that is away just now does not keep the sink from starting: a
// write fails then.
func TestKerberosAway(t *testing.T) {
	dir := t.TempDir()
	keys := keytab.New()
	if err := keys.AddEntry("flume", "EXAMPLE.COM", "secret", time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	packed, err := keys.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"flume.keytab": string(packed),
		"krb5.conf":    "[libdefaults]\n default_realm = EXAMPLE.COM\n udp_preference_limit = 1\n[realms]\n EXAMPLE.COM = {\n  kdc = 127.0.0.1:1\n }\n",
		"core-site.xml": "<configuration><property><name>hadoop.security.authentication</name><value>kerberos</value></property>" +
			"<property><name>dfs.namenode.kerberos.principal</name><value>nn/_HOST@EXAMPLE.COM</value></property></configuration>",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", dir)
	t.Setenv("KRB5_CONFIG", filepath.Join(dir, "krb5.conf"))

	const name = "127.0.0.1:1" // nobody listens there
	s, err := options(t, dir, "hdfs.path", "hdfs://"+name+"/x", "hdfs.kerberosPrincipal", "flume", "hdfs.kerberosKeytab", filepath.Join(dir, "flume.keytab")).
		Open(sinktest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), batch("a")); err == nil || !strings.Contains(err.Error(), "connecting to HDFS at "+name) {
		t.Errorf("got %v; want why HDFS cannot be connected to", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
