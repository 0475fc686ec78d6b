package hdfs

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"strings"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
	"github.com/rs/zerolog"

	"github.com/flumekit/flumekit/pkg/fault"
)

// location is a path of Hadoop's, taken apart. It is no URL: what the path has
// of percent signs are escapes.
type location struct {
	scheme, host, path string
}

func locate(text string) location {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(scheme, "/%") {
		return location{path: text}
	}
	at := location{scheme: strings.ToLower(scheme), path: rest}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		at.host, at.path, _ = strings.Cut(after, "/")
		at.path = "/" + at.path
	}
	return at
}

// openFileSystem returns the file system of hdfs.path, the path in it, and
// whether files there may be appended to.
func (o *Options) openFileSystem(ctx context.Context) (in fileSystem, dir string, appends bool, err error) {
	conf, from, err := loadConf()
	if err != nil {
		return nil, "", false, fault.Hint(fmt.Errorf("reading Hadoop's configuration: %w", err), "mend it, or set HADOOP_CONF_DIR to the directory of another")
	}
	at, by := locate(o.Path), locate(defaultFS(conf))
	if at.scheme == "" && by == locate(localDefault) {
		// Flume: without a word, whatever the class path has.
		zerolog.Ctx(ctx).Warn().Str("hdfs.path", o.Path).Msg("This is a local directory, since no core-site.xml with fs.defaultFS was found by HADOOP_CONF_DIR or HADOOP_HOME. " +
			"If that is meant, write file:// before it.")
	}
	if at.scheme == "" || at.scheme == by.scheme && at.host == "" {
		at.scheme, at.host = by.scheme, by.host
	}
	if at.host == "" && at.scheme == "hdfs" {
		return nil, "", false, fault.Hint(fmt.Errorf("hdfs.path %q does not name a name node", o.Path), "write hdfs://HOST:PORT/DIR, or set HADOOP_CONF_DIR to the directory of core-site.xml")
	}
	if !strings.HasPrefix(at.path, "/") {
		return nil, "", false, fault.Hint(fmt.Errorf("hdfs.path %q is not absolute", o.Path), "write hdfs://HOST:PORT/DIR or file:///DIR")
	}
	appends = strings.EqualFold(conf["hdfs.append.support"], "true")
	switch at.scheme {
	case "file":
		return localFS{}, at.path, appends, nil
	case "hdfs":
		c, err := o.openCluster(conf, at.host)
		if err != nil {
			return nil, "", false, err
		}
		return c, at.path, appends, nil
	}
	hint := "write hdfs://HOST:PORT/DIR or file:///DIR"
	if from != "" {
		hint += "; fs.defaultFS in " + from + " is " + defaultFS(conf)
	}
	return nil, "", false, fault.Hint(fmt.Errorf("hdfs.path %q is in no file system that is known", o.Path), "%s", hint)
}

// openCluster returns the HDFS of a name node, or of a name service. It connects
// when that is needed.
func (o *Options) openCluster(conf hadoopconf.HadoopConf, host string) (*cluster, error) {
	options, err := o.clientOptions(conf, nameNodes(conf, host))
	if err != nil {
		return nil, err
	}
	return newCluster(conf, options, o.CallTimeout.Duration()), nil
}

// nameNodes returns the addresses of host, which may be a name service.
func nameNodes(conf hadoopconf.HadoopConf, host string) []string {
	var addresses []string
	for id := range strings.SplitSeq(conf["dfs.ha.namenodes."+host], ",") {
		if address := conf["dfs.namenode.rpc-address."+host+"."+strings.TrimSpace(id)]; address != "" {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) > 0 {
		return addresses
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "8020")
	}
	return []string{host}
}

// clientOptions returns what HDFS's client is to know.
func (o *Options) clientOptions(conf hadoopconf.HadoopConf, addresses []string) (hdfs.ClientOptions, error) {
	options := hdfs.ClientOptionsFromConf(conf)
	options.Addresses = addresses
	options.User = o.ProxyUser
	if options.KerberosClient != nil {
		var err error
		options.KerberosClient, err = o.logIn()
		return options, err
	}
	if options.User == "" {
		options.User = os.Getenv("HADOOP_USER_NAME")
	}
	if options.User == "" {
		me, err := user.Current()
		if err != nil {
			return options, fmt.Errorf("finding out who runs this: %w", err)
		}
		options.User = me.Username
	}
	return options, nil
}
