package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// print writes the report for a terminal of 107 columns.
func (r *report) print(out io.Writer) error {
	var page strings.Builder
	for _, condition := range r.Conditions {
		fmt.Fprintf(&page, "%s\n", condition)
	}
	if len(r.Rows) > 0 {
		fmt.Fprintf(&page, "\n%-26s %11s %5s %7s %8s %8s %8s  %s\n",
			"flow", "events/s", "±", "MB/s", "CPU s/M", "memory", "fsyncs", "durability in force")
	}
	for _, row := range r.Rows {
		page.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	if len(r.Observations) > 0 {
		page.WriteString("\n")
	}
	for _, o := range r.Observations {
		fmt.Fprintf(&page, "%-60s %8.1f %-3s bar %g: %s\n", o.What, o.Value, o.Unit, o.Bar, verdict(o.Value <= o.Bar))
	}
	if len(r.Comparisons) > 0 {
		page.WriteString("\n")
	}
	for _, c := range r.Comparisons {
		fmt.Fprintf(&page, "%-60s %8.2f     bar %g: %s\n", c.What, c.Ratio, c.Bar, verdict(c.Ratio >= c.Bar))
	}
	_, err := io.WriteString(out, page.String())
	return err
}

func verdict(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}

// String returns the row's line of the table.
func (r row) String() string {
	name := r.Name
	if r.Beside != "" {
		name = "  " + name
	}
	if r.Failed != "" {
		first, _, _ := strings.Cut(r.Failed, "\n")
		return fmt.Sprintf("%-26s %11s  %s", name, "FAILED", first)
	}
	if len(r.Runs) == 0 {
		return fmt.Sprintf("%-26s %11s", name, "-")
	}
	s := r.median()
	spread, memory, syncs := "-", "-", "-"
	if len(r.Runs) > 1 {
		spread = fmt.Sprintf("%.0f%%", 100*r.spread())
	}
	if s.Memory > 0 {
		memory = fmt.Sprintf("%.0f MB", float64(s.Memory)/1e6)
	}
	if r.Syncs != nil {
		syncs = thousands(*r.Syncs)
	}
	return fmt.Sprintf("%-26s %11s %5s %7.1f %8.2f %8s %8s  %s", name, thousands(int(math.Round(s.rate()))), spread,
		s.rate()*bodySize/1e6, s.CPU.Seconds()/float64(s.Events)*1e6, memory, syncs, r.Durability)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
