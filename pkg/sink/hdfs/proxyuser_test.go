package hdfs

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// What the client writes arrives as the proxy user's, and what a name node says
// against that is told, also by the next calls.
func TestProxyUser(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	type got struct {
		preamble string
		about    protoreflect.Message // who calls
		next     protoreflect.Message // head of the next call
		err      error
	}
	seen := make(chan got, 1)
	const says = "User: flume@EXAMPLE.COM is not allowed to impersonate alice"
	go func() {
		var g got
		defer func() { seen <- g }()
		preamble := make([]byte, 7)
		if _, g.err = io.ReadFull(there, preamble); g.err != nil {
			return
		}
		g.preamble = string(preamble)
		if _, g.about, g.err = readPacket(there, "IpcConnectionContextProto"); g.err != nil {
			return
		}
		if g.next, _, g.err = readPacket(there, ""); g.err != nil {
			return
		}
		// status 2: fatal
		head := message("RpcResponseHeaderProto")
		set := func(name string, v any) {
			head.Set(head.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(v))
		}
		call := int32(-3)
		set("callId", uint32(call))
		set("status", protoreflect.EnumNumber(2))
		set("exceptionClassName", "org.apache.hadoop.ipc.FatalRpcServerException")
		set("errorMsg", says)
		var text []byte
		if text, g.err = proto.Marshal(head.Interface()); g.err != nil {
			return
		}
		answer := protowire.AppendBytes(make([]byte, 4), text)
		binary.BigEndian.PutUint32(answer, uint32(len(answer)-4))
		_, g.err = there.Write(answer)
	}()

	client, err := hdfs.NewClient(hdfs.ClientOptions{
		Addresses: []string{"node:8020"},
		User:      "flume",
		NamenodeDialFunc: func(context.Context, string, string) (net.Conn, error) {
			return &proxyConn{nodeConn: &nodeConn{Conn: here}, user: "alice"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 {
		_, err := client.Stat("/x")
		if err == nil || !strings.Contains(err.Error(), "act as hdfs.proxyUser alice: "+says) {
			t.Errorf("got %v; want what the name node says", err)
		}
	}

	g := <-seen
	if g.err != nil {
		t.Fatal(g.err)
	}
	if want := "hrpc\x09\x00\x00"; g.preamble != want {
		t.Errorf("got %q at first; want %q", g.preamble, want)
	}
	field := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	if got := field(field(g.about, "userInfo").Message(), "effectiveUser").String(); got != "alice" {
		t.Errorf("got calls of %q; want alice's", got)
	}
	if got, want := field(g.about, "protocol").String(), "org.apache.hadoop.hdfs.protocol.ClientProtocol"; got != want {
		t.Errorf("got protocol %q; want %q", got, want)
	}
	if got := field(g.next, "callId").Int(); got < 0 {
		t.Errorf("got call %d after the introduction; want one of the client's", got)
	}
}

// message returns an empty message of Hadoop's.
func message(name string) protoreflect.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("hadoop.common." + name))
	if err != nil {
		panic(err)
	}
	return kind.New()
}

// readPacket reads a packet: its head, and its body as a message of that name if
// there is one.
func readPacket(r io.Reader, name string) (head, body protoreflect.Message, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, nil, err
	}
	text, n := protowire.ConsumeBytes(packet)
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	head = message("RpcRequestHeaderProto")
	if err := proto.Unmarshal(text, head.Interface()); err != nil || name == "" {
		return head, nil, err
	}
	if text, n = protowire.ConsumeBytes(packet[n:]); n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	body = message(name)
	return head, body, proto.Unmarshal(text, body.Interface())
}

// What is no introduction passes as it is, unless it is a call: the introduction
// has not come, then.
func TestIntroduceOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		packet string
		call   bool
	}{
		"the preamble":    {"hrpc\x09\x00\xdf", false},
		"a call":          {string(recoverLeaseCall("/x", "me")), true},
		"of SASL":         {"\x00\x00\x00\x06\x02\x18\x41\x02\x10\x01", false}, // call -33, state 1
		"wrapped":         {"\x00\x00\x00\x06\x02\x18\x41\x02\x10\x05", true},
		"cut off":         {"\x00\x00\x00\x05\x02\x18\x05\x01", false},
		"without a body":  {"\x00\x00\x00\x03\x02\x18\x05", true},
		"nothing":         {"", false},
		"not of messages": {"\x00\x00\x00\x01\xff", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := introduce([]byte(tt.packet), "alice"); ok {
				t.Errorf("got %q; want it left alone", got)
			}
			if got := isCall([]byte(tt.packet)); got != tt.call {
				t.Errorf("is a call: %t; want %t", got, tt.call)
			}
		})
	}
}
