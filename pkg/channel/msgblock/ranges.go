package msgblock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Range is the sequences from First through Last, both of them in it.
type Range struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// String is "7" or "7-9".
func (r Range) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Ranges is a set of sequences: ranges in order that neither overlap nor touch.
type Ranges []Range

// Len is the number of sequences.
func (rs Ranges) Len() (n uint64) {
	for _, r := range rs {
		n += r.Last - r.First + 1
	}
	return n
}

// Contains reports whether seq is in the set.
func (rs Ranges) Contains(seq uint64) bool {
	_, found := slices.BinarySearchFunc(rs, seq, func(r Range, seq uint64) int {
		switch {
		case r.Last < seq:
			return -1
		case r.First > seq:
			return 1
		}
		return 0
	})
	return found
}

// String is the ranges with commas between them.
func (rs Ranges) String() string {
	var all []string
	for _, r := range rs {
		all = append(all, r.String())
	}
	return strings.Join(all, ", ")
}

// add takes sequences in about their order; union makes a set of it.
func (rs Ranges) add(seq uint64) Ranges {
	if n := len(rs); n > 0 && rs[n-1].Last+1 == seq {
		rs[n-1].Last = seq
		return rs
	}
	return append(rs, Range{seq, seq})
}

func union(sets ...Ranges) Ranges {
	all := slices.Concat(sets...)
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var joined Ranges
	for _, r := range all {
		if n := len(joined); n > 0 && r.First <= joined[n-1].Last+1 {
			joined[n-1].Last = max(joined[n-1].Last, r.Last)
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// without returns what is in rs and not in out.
func (rs Ranges) without(out Ranges) (left Ranges) {
	for _, r := range rs {
		at, _ := slices.BinarySearchFunc(out, r.First, func(o Range, seq uint64) int { return cmp.Compare(o.Last, seq) })
		for _, o := range out[at:] {
			if o.First > r.Last {
				break
			}
			if o.First > r.First {
				left = append(left, Range{r.First, o.First - 1})
			}
			r.First = o.Last + 1
		}
		if r.First <= r.Last {
			left = append(left, r)
		}
	}
	return left
}

// within returns the part of rs from first through last.
func (rs Ranges) within(first, last uint64) (part Ranges) {
	for _, r := range rs {
		if cut := (Range{max(r.First, first), min(r.Last, last)}); cut.First <= cut.Last {
			part = append(part, cut)
		}
	}
	return part
}
