package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// rule is one of ipFilterRules.
type rule struct {
	allow   bool
	name    bool           // it is about the client's name, not its address
	pattern *regexp.Regexp // nil is any address of this machine
}

type rules []rule

// parseRules reads rules with commas between them; as in Flume there may be some
// after the last.
func parseRules(text string) (rules, error) {
	var all rules
	for each := range strings.SplitSeq(strings.TrimRight(text, ", \t"), ",") {
		each = strings.TrimSpace(each)
		parts := strings.SplitN(each, ":", 3)
		if len(parts) < 3 || (parts[0] != "allow" && parts[0] != "deny") || (parts[1] != "ip" && parts[1] != "name") {
			err := fmt.Errorf("ipFilterRules: invalid ipFilter patternRule %q", each)
			return nil, fault.Hint(err, "it should look like <'allow' or 'deny'>:<'ip' or 'name'>:<pattern>")
		}
		r := rule{allow: parts[0] == "allow", name: parts[1] == "name"}
		if !r.name || parts[2] != "localhost" {
			var err error
			if r.pattern, err = compile(parts[2]); err != nil {
				return nil, fmt.Errorf("ipFilterRules: the pattern of %q: %w", each, err)
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// compile reads a pattern, which may have what regular expressions have: Flume
// makes one of it.
//
// Flume: takes a pattern that fits nothing, such as 10.0.0.0/8, without a word,
// and a rule that was to deny clients lets them in.
func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" || strings.ContainsAny(pattern, "/ \t") {
		return nil, fault.Hint(errors.New("it fits no address or name"), "write 10.* for 10.0.0.0/8, and no blanks")
	}
	text := strings.NewReplacer(".", `\.`, "*", ".*", "?", ".").Replace(pattern)
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, fault.Hint(err, "* is any run of characters and ? is one; brackets and the like are those of regular expressions")
	}
	return re, nil
}

// lookupTime bounds how long a client's name is looked for.
const lookupTime = 5 * time.Second

// admit says whether a client may connect.
func (r rules) admit(client net.Addr) bool {
	tcp, ok := client.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	ips := []string{addr.String(), inFull(addr)}
	var names []string // of the client, once they are needed
	for _, rule := range r {
		var fits bool
		switch {
		case !rule.name:
			fits = slices.ContainsFunc(ips, rule.pattern.MatchString)
		case rule.pattern == nil:
			fits = isLocal(tcp.IP)
		default:
			if names == nil {
				names = namesOf(ips[0])
			}
			fits = slices.ContainsFunc(names, rule.pattern.MatchString)
		}
		if fits {
			return rule.allow
		}
	}
	return true
}

// inFull returns an address as Java writes it: 2001:db8:0:0:0:0:0:1, where Go
// writes 2001:db8::1.
func inFull(addr netip.Addr) string {
	if !addr.Is6() {
		return addr.String()
	}
	bytes, groups := addr.As16(), make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(binary.BigEndian.Uint16(bytes[2*i:])), 16)
	}
	return strings.Join(groups, ":")
}

// namesOf returns the names that an address has in the DNS; if it has none, the
// address, as Java does.
func namesOf(ip string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, ip)
	if err != nil || len(names) == 0 {
		return []string{ip}
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".")
	}
	return names
}

// isLocal reports whether ip is an address of this machine.
//
// Flume: only 127.0.0.1 and the one address that the machine's name has.
func isLocal(ip net.IP) bool {
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		local, ok := a.(*net.IPNet)
		return ok && local.IP.Equal(ip)
	})
}
