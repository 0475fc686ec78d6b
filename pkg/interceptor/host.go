// The host interceptor sets a header to the address or the name of the machine
// that it runs on.
//
// They are looked up once, at the start. Where the machine's name has no
// address, the address is that of its first network interface that is up, and
// where it has no canonical name, the name is the machine's own.

package interceptor

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/option"
)

//go:embed host.go
var hostText string

// HostSpec is the host interceptor's line in the catalogue.
var HostSpec = Spec{
	Name:    "host",
	Class:   "org.apache.flume.interceptor.HostInterceptor$Builder",
	Summary: "Set a header to this machine's address or name.",
	Manual:  component.Manual(hostText),
	New:     func() Options { return new(Host) },
}

// lookupTime bounds the questions to the name service at the start.
const lookupTime = 5 * time.Second

// Host is the properties of a host interceptor.
type Host struct {
	UseIP            option.Bool `name:"useIP" default:"true" help:"Set the address; false sets the name."`
	HostHeader       string      `name:"hostHeader" default:"host" placeholder:"HEADER" help:"Header to set."`
	PreserveExisting option.Bool `name:"preserveExisting" default:"false" help:"Leave the header alone where it is set already."`
}

// Build implements Options.
//
// Flume: when the machine's name cannot be resolved, events go on without the
// header; here there are other ways to find an address, and none at all is an
// error.
func (h *Host) Build() (Interceptor, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the machine's name: %w", err)
	}
	address := addressOf(ctx, name)
	value := address
	if !h.UseIP {
		value = nameOf(ctx, name, address)
	}
	if value == "" {
		return nil, fault.Hint(fmt.Errorf("this machine, %q, has no address", name),
			"give its name an address in /etc/hosts, or set useIP to false")
	}
	return newSetter(h.HostHeader, value, bool(h.PreserveExisting)), nil
}

// addressOf returns the address of the machine with that name, as Java does:
// IPv4 before IPv6. It returns "" if there is none at all.
func addressOf(ctx context.Context, name string) string {
	found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for _, address := range found {
		if address.Unmap().Is4() {
			return address.Unmap().String()
		}
	}
	if len(found) > 0 {
		return found[0].String()
	}
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}

// nameOf returns the canonical name of a machine.
func nameOf(ctx context.Context, name, address string) string {
	names, _ := net.DefaultResolver.LookupAddr(ctx, address)
	if len(names) == 0 {
		return name
	}
	return strings.TrimSuffix(names[0], ".")
}
