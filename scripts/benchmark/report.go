package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// report is all that a run of the benchmark has found.
type report struct {
	Conditions   []string      `json:"conditions"`
	Rows         []row         `json:"flows"`
	Observations []observation `json:"observations,omitempty"`
	Comparisons  []comparison  `json:"comparisons,omitempty"`
	Failures     []string      `json:"failures,omitempty"`
}

// row is one flow or what it is compared with.
type row struct {
	Name       string   `json:"name"`
	Does       string   `json:"does,omitempty"`
	Durability string   `json:"durability,omitempty"`
	Beside     string   `json:"beside,omitempty"` // the flow, of a reference
	Runs       []sample `json:"runs"`             // the slowest first
	Syncs      *int     `json:"fsyncs,omitempty"` // nil if not counted
	Failed     string   `json:"failed,omitempty"`
	bar        float64  // of a reference: what the flow's rate must be, as a multiple of its
	perCPU     float64  // and its events per CPU second; 0 if they are not compared
}

// median returns the run in the middle, of two the slower.
func (r row) median() sample { return r.Runs[(len(r.Runs)-1)/2] }

// rate returns events a second.
func (s sample) rate() float64 { return float64(s.Events) / s.Elapsed.Seconds() }

// spread returns half of what lies between the fastest and the slowest run, as
// a part of the median.
func (r row) spread() float64 {
	return (r.Runs[len(r.Runs)-1].rate() - r.Runs[0].rate()) / 2 / r.median().rate()
}

// measure adds the rows of f.
func (r *report) measure(ctx context.Context, l *lab, f flow, set settings) {
	if f.observe != nil {
		r.observe(ctx, l, f, set)
		return
	}
	own := row{Name: f.name, Does: f.does, Durability: f.durability}
	var other row
	if f.beside != nil {
		other = row{Name: f.beside.name, Beside: f.name, bar: f.beside.bar, perCPU: f.beside.perCPU}
	}
	for range set.runs {
		r.add(ctx, l, f, &own, f.measure)
		if f.beside != nil {
			r.add(ctx, l, f, &other, f.beside.measure)
		}
	}
	if l.strace != "" && l.profile == "" && own.Failed == "" && ctx.Err() == nil {
		t, err := l.try(ctx, f, true, f.measure)
		switch {
		case err == nil:
			own.Syncs = &t.syncs
		case ctx.Err() == nil:
			r.fail(&own, fmt.Errorf("counting fsyncs: %w", err))
		}
	}
	if ctx.Err() != nil {
		return
	}
	r.Rows = append(r.Rows, own)
	if f.beside != nil {
		r.Rows = append(r.Rows, other)
	}
}

// add makes one run and adds it to a row.
func (r *report) add(ctx context.Context, l *lab, f flow, to *row, measure func(*trial) error) {
	if to.Failed != "" {
		return
	}
	t, err := l.try(ctx, f, false, measure)
	switch {
	case ctx.Err() != nil: // interrupted, which is nobody's failure
		return
	case err != nil:
		r.fail(to, err)
		return
	}
	to.Runs = append(to.Runs, t.found)
	slices.SortFunc(to.Runs, func(a, b sample) int { return cmp.Compare(a.rate(), b.rate()) })
	if t.syncs > 0 {
		to.Syncs = &t.syncs
	}
	if t.policy != "" {
		to.Durability = t.policy
	}
}

func (r *report) fail(row *row, err error) {
	row.Failed = err.Error()
	r.Failures = append(r.Failures, row.Name+": "+row.Failed)
}

// observe adds the medians of what f observes.
func (r *report) observe(ctx context.Context, l *lab, f flow, set settings) {
	var runs [][]observation
	for range set.runs {
		var found []observation
		_, err := l.try(ctx, f, false, func(t *trial) (err error) {
			found, err = f.observe(t)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.Failures = append(r.Failures, f.name+": "+err.Error())
			return
		}
		runs = append(runs, found)
	}
	for i, o := range runs[0] {
		var values []float64
		for _, run := range runs {
			values = append(values, run[i].Value)
		}
		slices.Sort(values)
		o.Value = values[len(values)/2]
		r.Observations = append(r.Observations, o)
	}
}

// failure returns an error if anything has failed.
func (r *report) failure() error {
	if len(r.Failures) == 0 {
		return nil
	}
	return errors.New("failed:\n  " + strings.Join(r.Failures, "\n  "))
}

// comparison is a ratio of rates and the least that it should be.
type comparison struct {
	What  string  `json:"what"`
	Ratio float64 `json:"ratio"`
	Bar   float64 `json:"bar"`
}

// What Flume 1.11 did on two cores of another machine by one connection: netcat
// and syslogtcp -> memory -> file_roll.
const (
	flumeRate       = 332_000
	flumeSyslogRate = 98_000
)

// compare draws the comparisons that the rows allow.
func (r *report) compare() {
	rates, perCPU := make(map[string]float64), make(map[string]float64)
	for _, row := range r.Rows {
		if row.Failed == "" && len(row.Runs) > 0 {
			median := row.median()
			rates[row.Beside+"/"+row.Name] = median.rate()
			perCPU[row.Beside+"/"+row.Name] = float64(median.Events) / median.CPU.Seconds()
		}
	}
	add := func(what string, ours, theirs, bar float64) {
		if ours > 0 && theirs > 0 {
			r.Comparisons = append(r.Comparisons, comparison{What: what, Ratio: ours / theirs, Bar: bar})
		}
	}
	for _, row := range r.Rows {
		if row.Beside != "" {
			add(row.Beside+" : "+row.Name, rates["/"+row.Beside], rates[row.Beside+"/"+row.Name], row.bar)
			if row.perCPU > 0 {
				add(row.Beside+" : "+row.Name+", per CPU second", perCPU["/"+row.Beside], perCPU[row.Beside+"/"+row.Name], row.perCPU)
			}
		}
	}
	add("clients-100 : clients-1", rates["/clients-100"], rates["/clients-1"], 20)
	for _, name := range []string{"netcat-memory", "netcat-agent"} {
		add(name+" : Flume 1.11's recorded "+thousands(flumeRate)+" a second", rates["/"+name], flumeRate, 3)
	}
	add("syslogtcp-memory : Flume 1.11's recorded "+thousands(flumeSyslogRate)+" a second", rates["/syslogtcp-memory-fileroll"], flumeSyslogRate, 5)
}
