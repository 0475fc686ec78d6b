package hdfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flumekit/flumekit/pkg/fault"
)

// proxyUser returns who the Kerberos principal acts as; "" for itself.
func (c *cluster) proxyUser() string {
	if c.options.KerberosClient == nil {
		return ""
	}
	return c.options.User
}

// proxyConn is a connection to a name node whose calls are a proxy user's, and
// not the Kerberos principal's that logs in. HDFS's client has no such thing: it
// introduces the principal. So the packet that does is changed on its way. It is
// one write, and never encrypted: with any hadoop.rpc.protection the client writes
// plainly, and only the answers are wrapped.
type proxyConn struct {
	*nodeConn
	user       string
	key        func() (types.EncryptionKey, error) // of the session
	introduced bool
	answered   bool
	rest       []byte // of the first answer
}

const (
	introductionCall = -3  // number of the call that is the introduction
	wrappedCall      = -33 // number of one that wraps another
	wrapState        = 5   // of such a call, where others log in
	sealed           = 2   // flag of a Kerberos token that is encrypted
)

func (c *cluster) newProxyConn(node *nodeConn, address string) *proxyConn {
	return &proxyConn{nodeConn: node, user: c.proxyUser(), key: func() (types.EncryptionKey, error) {
		host, _, _ := net.SplitHostPort(address)
		// The client has asked for that ticket, and it is kept.
		_, key, err := c.options.KerberosClient.GetServiceTicket(strings.Replace(c.options.KerberosServicePrincipleName, "_HOST", host, 1))
		return key, err
	}}
}

func (c *proxyConn) Write(p []byte) (int, error) {
	if c.introduced {
		return c.nodeConn.Write(p)
	}
	packet, ok := introduce(p, c.user)
	if !ok {
		if isCall(p) { // it had better not act as the principal
			c.Close()
			return 0, fmt.Errorf("acting as hdfs.proxyUser %s: HDFS's client does not say who it is in the way that is known", c.user)
		}
		return c.nodeConn.Write(p)
	}
	c.introduced = true
	if _, err := c.nodeConn.Write(packet); err != nil {
		return 0, err
	}
	return len(p), nil
}

// introduce returns packet with user in it if it is the one that says whose the
// calls are: its length, and two messages with theirs, the second of which has
// the user as field 1 of field 2.
func introduce(packet []byte, user string) ([]byte, bool) {
	call, at, ok := split(packet)
	if !ok || call != introductionCall {
		return nil, false
	}
	about, m := protowire.ConsumeBytes(packet[at:])
	if m < 0 {
		return nil, false
	}
	// Of a field that is there twice the later one counts.
	who := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), user)
	about = protowire.AppendBytes(protowire.AppendTag(bytes.Clone(about), 2, protowire.BytesType), who)
	changed := protowire.AppendBytes(bytes.Clone(packet[:at]), about)
	binary.BigEndian.PutUint32(changed, uint32(len(changed)-4))
	return changed, true
}

// isCall reports whether a packet is a call that an introduction has to come
// before, wrapped or not; what logs in is none.
func isCall(packet []byte) bool {
	call, at, ok := split(packet)
	if !ok || call != wrappedCall {
		return ok
	}
	wraps := false
	message, _ := protowire.ConsumeBytes(packet[at:])
	err := eachField(message, func(field protowire.Number, _ protowire.Type, state uint64) {
		wraps = wraps || field == 2 && state == wrapState
	})
	return err != nil || wraps
}

// split returns the number of the call that a packet is, and where the message
// after its head begins. It is not ok if that is no packet: what a connection
// begins with.
func split(packet []byte) (call int64, at int, ok bool) {
	if len(packet) < 4 || int(binary.BigEndian.Uint32(packet)) != len(packet)-4 {
		return 0, 0, false
	}
	head, n := protowire.ConsumeBytes(packet[4:])
	if n < 0 {
		return 0, 0, false
	}
	err := eachField(head, func(field protowire.Number, _ protowire.Type, value uint64) {
		if field == 3 {
			call = protowire.DecodeZigZag(value)
		}
	})
	return call, 4 + n, err == nil
}

// Read looks at the first answer after the introduction. If that is the answer to
// it, it is a refusal, which the client would take for a mistake in the protocol.
func (c *proxyConn) Read(p []byte) (int, error) {
	if !c.introduced {
		return c.nodeConn.Read(p)
	}
	if !c.answered {
		var answer bytes.Buffer
		if _, err := io.CopyN(&answer, c.nodeConn, 4); err != nil {
			return 0, err
		}
		if _, err := io.CopyN(&answer, c.nodeConn, int64(binary.BigEndian.Uint32(answer.Bytes()))); err != nil {
			return 0, err
		}
		c.answered, c.rest = true, answer.Bytes()
		if err := c.refused(c.rest[4:]); err != nil {
			c.broken = err
			c.Close()
			return 0, err
		}
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.nodeConn.Read(p)
}

// refused returns what the name node says if answer is that to the introduction.
// What cannot be read is left to the client to complain of.
func (c *proxyConn) refused(answer []byte) error {
	head, n := protowire.ConsumeBytes(answer)
	if n < 0 {
		return nil
	}
	var call int32
	if err := eachField(head, func(field protowire.Number, _ protowire.Type, value uint64) {
		if field == 1 {
			call = int32(value)
		}
	}); err != nil {
		return nil
	}
	switch call {
	case introductionCall:
		return fault.Hint(fmt.Errorf("the name node does not let the sink act as hdfs.proxyUser %s: %s", c.user, textField(head, 5)),
			"allow it by hadoop.proxyuser.NAME.hosts and hadoop.proxyuser.NAME.users, or .groups, in the name nodes' core-site.xml, NAME being the principal's short name")
	case wrappedCall:
		if body, m := protowire.ConsumeBytes(answer[n:]); m >= 0 {
			if within := c.unwrapped([]byte(textField(body, 3))); len(within) > 4 {
				return c.refused(within[4:])
			}
		}
	}
	return nil
}

// unwrapped returns the answer in a token of Kerberos's; nil if it cannot be read.
func (c *proxyConn) unwrapped(token []byte) []byte {
	var wrap gssapi.WrapToken
	if wrap.Unmarshal(token, true) != nil {
		return nil
	}
	if wrap.Flags&sealed == 0 {
		return wrap.Payload // the client checks its signature
	}
	key, err := c.key()
	if err != nil {
		return nil
	}
	answer, err := crypto.DecryptMessage(wrap.Payload, key, keyusage.GSSAPI_ACCEPTOR_SEAL)
	if err != nil {
		return nil
	}
	return answer
}

// textField returns the text that is a field of a message.
func textField(message []byte, want protowire.Number) string {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			break
		}
		if field == want && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(message[n:])
			return string(text)
		}
		value := protowire.ConsumeFieldValue(field, kind, message[n:])
		if value < 0 {
			break
		}
		message = message[n+value:]
	}
	return ""
}
