package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flumekit/flumekit/pkg/option"
)

// agreeOnRetain leaves word in the channel's directory of how long events are
// retained, for visitors, who go by it unless they were told themselves.
func (o *Options) agreeOnRetain(dir string) error {
	path := filepath.Join(dir, "retain")
	if o.visitor {
		if o.Retain > 0 {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		retain, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		o.Retain = option.Seconds(retain)
		return nil
	}
	if o.Retain == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(path, fmt.Appendln(nil, o.Retain.Duration()), 0o600)
}
