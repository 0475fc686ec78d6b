package escape

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

var errUnknown = errors.New("unknown")

// host returns this host's name, address or full name.
func host(what string) (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding this host's name: %w", err)
	}
	switch strings.ToLower(what) {
	case "localhost":
		return name, nil
	case "ip":
		return address(name), nil
	case "fqdn":
		if names, err := net.LookupAddr(address(name)); err == nil && len(names) > 0 {
			return strings.TrimSuffix(names[0], "."), nil
		}
		return name, nil
	}
	return "", errUnknown
}

// address returns the first address of a host, of version 4 if it has one.
func address(name string) string {
	found, err := net.LookupIP(name)
	if err != nil || len(found) == 0 {
		return "127.0.0.1"
	}
	for _, ip := range found {
		if ip.To4() != nil {
			return ip.String()
		}
	}
	return found[0].String()
}
