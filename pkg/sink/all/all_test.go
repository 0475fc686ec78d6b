package all_test

import (
	"testing"

	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/sink/all"
)

func TestCatalog(t *testing.T) {
	if err := cli.Verify(all.Catalog, nil); err != nil {
		t.Error(err)
	}
}
