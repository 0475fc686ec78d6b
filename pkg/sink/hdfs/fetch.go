package hdfs

import (
	"context"
	"fmt"
	"io"

	"github.com/colinmarc/hdfs/v2"
)

// fetch reads a file of at most most bytes that an hdfs: URL names.
//
// Flume: it is always looked for in the HDFS of fs.defaultFS.
func (o *Options) fetch(_ context.Context, address string, most int64) (text []byte, err error) {
	conf, _, err := loadConf()
	if err != nil {
		return nil, fmt.Errorf("reading Hadoop's configuration: %w", err)
	}
	at := locate(address)
	if at.host == "" {
		at.host = locate(defaultFS(conf)).host
	}
	if at.host == "" {
		return nil, fmt.Errorf("%s does not name a name node", address)
	}
	c, err := o.openCluster(conf, at.host)
	if err != nil {
		return nil, err
	}
	defer c.close()
	err = c.use(func(client *hdfs.Client) error {
		f, err := client.Open(at.path)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, most))
		return err
	})
	return text, err
}
