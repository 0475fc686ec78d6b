package seq_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flumekit/flumekit/pkg/option"
	"github.com/flumekit/flumekit/pkg/source"
	"github.com/flumekit/flumekit/pkg/source/seq"
	"github.com/flumekit/flumekit/pkg/source/sourcetest"
)

func TestPromises(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{
		New: func(_ *testing.T, bodies []string) source.Options {
			return &seq.Options{BatchSize: 7, TotalEvents: option.Int64(len(bodies))}
		},
	})
}

func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		batchSize option.Int
		total     option.Int64
		want      string
	}{
		{1, 3, "[0] [1] [2]"},
		{2, 5, "[0 1] [2 3] [4]"},
		{10, 2, "[0 1]"},
		{10, 0, ""},
	} {
		src, err := (&seq.Options{BatchSize: tt.batchSize, TotalEvents: tt.total}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var put sourcetest.Collector
		if err := src.Run(t.Context(), &put); err != nil {
			t.Errorf("Run: %v", err)
		}
		var got []string
		for _, batch := range put.Batches() {
			var bodies []string
			for _, e := range batch {
				bodies = append(bodies, string(e.Body))
			}
			got = append(got, fmt.Sprint(bodies))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("batchSize %d, totalEvents %d: got %s; want %s", tt.batchSize, tt.total, got, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for property, opt := range map[string]seq.Options{
		"batchSize":   {BatchSize: 0},
		"totalEvents": {BatchSize: 1, TotalEvents: -1},
	} {
		if err := opt.Validate(); err == nil || !strings.HasPrefix(err.Error(), property+" is ") {
			t.Errorf("%s: got %v; want an error that names it", property, err)
		}
	}
	if err := (&seq.Options{BatchSize: 1}).Validate(); err != nil {
		t.Errorf("no events: %v", err)
	}
}
