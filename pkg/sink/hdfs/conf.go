package hdfs

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/colinmarc/hdfs/v2/hadoopconf"

	"github.com/flumekit/flumekit/pkg/fault"
)

// loadConf reads Hadoop's configuration from where the environment says it is,
// and returns the directory, "" if there is none.
func loadConf() (hadoopconf.HadoopConf, string, error) {
	if dir := os.Getenv("HADOOP_CONF_DIR"); dir != "" {
		conf, err := readConf(dir)
		if conf == nil && err == nil {
			// What is meant for HDFS had better not go to a local directory.
			err = fault.Hint(fmt.Errorf("HADOOP_CONF_DIR is %s, and neither core-site.xml nor hdfs-site.xml is there", dir), "set it to their directory, or not at all")
		}
		return conf, dir, err
	}
	if home := os.Getenv("HADOOP_HOME"); home != "" {
		for _, dir := range []string{filepath.Join(home, "etc", "hadoop"), filepath.Join(home, "conf")} {
			if conf, err := readConf(dir); conf != nil || err != nil {
				return conf, dir, err
			}
		}
	}
	return nil, "", nil
}

// readConf reads the configuration in a directory; nil if there is none.
func readConf(dir string) (hadoopconf.HadoopConf, error) {
	var conf hadoopconf.HadoopConf
	for _, name := range []string{"core-site.xml", "hdfs-site.xml"} { // what the later one says counts
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var file struct {
			Properties []struct {
				Name  string `xml:"name"`
				Value string `xml:"value"`
			} `xml:"property"`
		}
		if err := xml.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if conf == nil {
			conf = make(hadoopconf.HadoopConf)
		}
		for _, p := range file.Properties {
			conf[strings.TrimSpace(p.Name)] = strings.TrimSpace(p.Value)
		}
	}
	for name, value := range conf {
		conf[name] = expandConf(conf, value)
		// The client counts on that.
		if strings.Contains(name, "fs.default") {
			if _, err := url.Parse(conf[name]); err != nil {
				return nil, fmt.Errorf("%s in %s: %w", name, dir, err)
			}
		}
	}
	return conf, nil
}

var confVariable = regexp.MustCompile(`\$\{[^}$\s]+\}`)

// mostExpansions is how deep Hadoop goes.
const mostExpansions = 20

// expandConf puts the values of other properties, and of the environment, for
// ${name} and ${env.NAME}. What is unknown stays.
func expandConf(conf hadoopconf.HadoopConf, value string) string {
	for range mostExpansions {
		before := value
		value = confVariable.ReplaceAllStringFunc(value, func(v string) string {
			name := v[2 : len(v)-1]
			if set, ok := conf[name]; ok {
				return set
			}
			if variable, ok := strings.CutPrefix(name, "env."); ok {
				if set, ok := os.LookupEnv(variable); ok {
					return set
				}
			}
			return v
		})
		if value == before {
			break
		}
	}
	return value
}

// localDefault is where paths are without a configuration.
const localDefault = "file:///"

// defaultFS returns the file system of paths that do not say it.
func defaultFS(conf hadoopconf.HadoopConf) string {
	for _, key := range []string{"fs.defaultFS", "fs.default.name"} {
		if value := conf[key]; value != "" {
			return value
		}
	}
	return localDefault
}
