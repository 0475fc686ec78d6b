package all_test

import (
	"testing"

	"github.com/flumekit/flumekit/pkg/channel/all"
	"github.com/flumekit/flumekit/pkg/cli"
)

func TestCatalog(t *testing.T) {
	if err := cli.Verify(all.Catalog, nil); err != nil {
		t.Error(err)
	}
}
