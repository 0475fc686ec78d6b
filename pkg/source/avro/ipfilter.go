package avro

import (
	"context"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/fault"
)

// rule is one of ipFilterRules.
type rule struct {
	allow   bool
	name    bool   // it is about the client's name, not its address
	pattern string // for glob
}

type rules []rule

// parseRules reads rules with commas between them.
func parseRules(text string) (rules, error) {
	var all rules
	for each := range strings.SplitSeq(text, ",") {
		each = strings.TrimSpace(each)
		parts := strings.SplitN(each, ":", 3)
		if len(parts) < 3 || (parts[0] != "allow" && parts[0] != "deny") || (parts[1] != "ip" && parts[1] != "name") {
			err := fmt.Errorf("ipFilterRules: invalid ipFilter patternRule %q", each)
			return nil, fault.Hint(err, "it should look like <'allow' or 'deny'>:<'ip' or 'name'>:<pattern>")
		}
		all = append(all, rule{allow: parts[0] == "allow", name: parts[1] == "name", pattern: parts[2]})
	}
	return all, nil
}

// lookupTime bounds how long a client's name is looked for.
const lookupTime = 5 * time.Second

// admit says whether a client may connect.
func (r rules) admit(client net.Addr) bool {
	tcp, ok := client.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("").String()
	var names []string // of the client, once they are needed
	for _, rule := range r {
		var fits bool
		switch {
		case !rule.name:
			fits = glob(rule.pattern, ip)
		case rule.pattern == "localhost":
			fits = isLocal(tcp.IP)
		default:
			if names == nil {
				names = namesOf(ip)
			}
			fits = slices.ContainsFunc(names, func(name string) bool { return glob(rule.pattern, name) })
		}
		if fits {
			return rule.allow
		}
	}
	return true
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

// glob reports whether pattern, in which * is any run of characters and ? any
// one, matches all of text.
func glob(pattern, text string) bool {
	// Neither has a slash, which alone * would not match, nor may a bracket
	// or a backslash mean anything.
	escaped := strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(pattern)
	ok, err := path.Match(escaped, text)
	return err == nil && ok
}
