package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/colinmarc/hdfs/v2"
)

// fileToHDFS is agent a1 with a file channel before an HDFS sink, which writes one
// file.
const fileToHDFS = agentSource + `a1.channels.c1.type = file
a1.channels.c1.checkpointDir = DIR/checkpoint
a1.channels.c1.dataDirs = DIR/data
a1.sinks.k1.type = hdfs
a1.sinks.k1.hdfs.path = PATH
a1.sinks.k1.hdfs.fileType = TYPE
a1.sinks.k1.hdfs.writeFormat = Text
a1.sinks.k1.hdfs.useRawLocalFileSystem = true
a1.sinks.k1.hdfs.batchSize = BATCH
a1.sinks.k1.hdfs.rollInterval = 0
a1.sinks.k1.hdfs.rollSize = 0
a1.sinks.k1.hdfs.rollCount = 0
`

// fileHDFS is the way of a durable agent into files, on the local file system or
// in HDFS.
func fileHDFS(fileType string, real bool) flow {
	const batch = 1000
	name, where := "hdfs-local-", "file:///"
	if real {
		name, where = "hdfs-", "an HDFS of one data node on this machine, whose CPU is not counted"
	}
	name += map[string]string{"DataStream": "text", "SequenceFile": "sequence"}[fileType]
	measure := func(t *trial, start starter) error { return t.fileToHDFS(fileType, batch, real, start) }
	return flow{
		name:    name,
		does:    fmt.Sprintf("fctl agent: exec cat -> file -> hdfs, %s, to %s, %d a batch", fileType, where, batch),
		events:  500_000,
		measure: func(t *trial) error { return measure(t, ourAgent) },
		beside:  besideFlume(measure),
		hdfs:    real,
	}
}

func (t *trial) fileToHDFS(fileType string, batch int, real bool, start starter) error {
	out := t.out
	url, written, open := "file://"+out, filepath.Join(out, "*"), openOnly
	if real {
		c, err := t.cluster()
		if err != nil {
			return err
		}
		out = "/" + filepath.Base(t.dir)
		url, written, open = c.url+out, filepath.Join(c.data, "current/BP-*/current/rbw/blk_*"), c.open
	}
	if err := t.configure(fileToHDFS, "DIR", t.dir, "PATH", url, "TYPE", fileType, "BATCH", fmt.Sprint(batch)); err != nil {
		return err
	}
	if err := start(t, "a1"); err != nil {
		return err
	}
	if err := t.feedUntil(written); err != nil {
		return err
	}
	if err := t.wait(); err != nil {
		return err
	}
	file, err := open(out)
	if err != nil {
		return err
	}
	defer file.Close()
	if fileType == "SequenceFile" {
		return holdLines(valuesOf(file), t.n)
	}
	return holdLines(file, t.n)
}

// open opens the only file of a directory of HDFS.
func (c *cluster) open(dir string) (io.ReadCloser, error) {
	client, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{strings.TrimPrefix(c.url, "hdfs://")}, User: "flume"})
	if err != nil {
		return nil, err
	}
	files, err := client.ReadDir(dir)
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("there are %d files in %s; want one", len(files), dir)
	}
	var file *hdfs.FileReader
	if err == nil {
		file, err = client.Open(dir + "/" + files[0].Name())
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return hdfsFile{file, client}, nil
}

// hdfsFile is a file and the client that reads it.
type hdfsFile struct {
	*hdfs.FileReader
	client *hdfs.Client
}

func (f hdfsFile) Close() error { return errors.Join(f.FileReader.Close(), f.client.Close()) }
