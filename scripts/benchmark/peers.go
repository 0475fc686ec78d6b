package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peers is what we have of Flume and of HDFS: Java programs from Maven Central,
// fetched and started by what scripts/interop has for that.
type peers struct {
	root      string // of the source tree
	classPath string // of Flume, and what it needs to write to HDFS
	hdfs      *cluster
}

// findPeers fetches the programs, once for all runs of the benchmark on a machine.
func findPeers(root string) (*peers, error) {
	for _, command := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(command); err != nil {
			return nil, fmt.Errorf("there is no %s on this machine", command)
		}
	}
	p := &peers{root: root}
	fetch := p.script("fetch flume >&2\nfetch hdfs >&2\necho \"$(classpath flume):$(classpath hdfs)\"")
	var stderr bytes.Buffer
	fetch.Stderr = &stderr
	found, err := fetch.Output()
	p.classPath = strings.TrimSpace(string(found))
	if err != nil || p.classPath == "" {
		return nil, fmt.Errorf("their programs cannot be fetched:%s", tail(stderr.Bytes()))
	}
	return p, nil
}

// script returns a command that runs lines of bash with the functions of
// scripts/peers, and keeps what it writes in the directory TMPDIR.
func (p *peers) script(lines string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", ". scripts/peers/lib.sh\n. scripts/peers/lib/hdfs.sh\n"+lines)
	cmd.Dir = p.root
	return cmd
}

// env returns what the programs and ours have in their environment besides.
func (p *peers) env() []string {
	if p == nil {
		return nil
	}
	if p.hdfs == nil {
		return []string{"CLASSPATH=" + p.classPath}
	}
	return []string{
		"CLASSPATH=" + p.hdfs.conf + ":" + p.classPath,
		"HADOOP_CONF_DIR=" + p.hdfs.conf,
		"HADOOP_USER_NAME=flume",
	}
}

// close ends what runs.
func (p *peers) close() error {
	if p == nil || p.hdfs == nil {
		return nil
	}
	return p.hdfs.close()
}

// cluster is a name node and a data node.
type cluster struct {
	url  string // hdfs://HOST:PORT
	conf string // directory of core-site.xml and hdfs-site.xml
	data string // directory of the data node
	cmd  *exec.Cmd
	stay io.Closer // its end is the cluster's
}

// cluster returns the HDFS, which is started when it is first asked for and keeps
// its files below dir.
func (l *lab) cluster() (*cluster, error) {
	if l.peers.hdfs != nil {
		return l.peers.hdfs, nil
	}
	cmd := l.peers.script("start_hdfs >&2\necho \"$hdfs $work\"\nread -r _ || true")
	cmd.Env = append(os.Environ(), "TMPDIR="+l.dir)
	stay, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting HDFS: %w", err)
	}
	said, err := bufio.NewReader(stdout).ReadString('\n')
	url, work, ok := strings.Cut(strings.TrimSpace(said), " ")
	if err != nil || !ok {
		stay.Close()
		return nil, fmt.Errorf("starting HDFS: %w%s", errors.Join(err, cmd.Wait()), tail(stderr.Bytes()))
	}
	l.peers.hdfs = &cluster{url: url, conf: filepath.Join(work, "conf"), data: filepath.Join(work, "data"), cmd: cmd, stay: stay}
	return l.peers.hdfs, nil
}

func (c *cluster) close() error { return errors.Join(c.stay.Close(), c.cmd.Wait()) }
