package embedded

import (
	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/channel/msgblock"
)

// assembly puts messages together from their records, which it is given in
// order. What belongs to no message that is whole it passes over.
type assembly struct {
	headings bool // the data is of no interest

	parts uint64 // of the message that was begun, so far; 0: none was
	seq   uint64 // of the last of them
	data  []byte
}

// add takes the next record and returns the message that ends with it, nil if
// none does.
func (a *assembly) add(m *msgblock.Message) (*channel.Message, error) {
	h, err := parseHeading(m)
	if err != nil {
		a.parts = 0
		return nil, err
	}
	if h.part == 0 {
		a.parts, a.data = 0, nil
	} else if h.part != a.parts || m.Seq != a.seq+1 {
		a.parts, a.data = 0, nil
		return nil, nil
	}
	a.parts, a.seq = a.parts+1, m.Seq
	if !a.headings {
		if a.data == nil {
			a.data = make([]byte, 0, max(int(h.size), len(m.Data)))
		}
		a.data = append(a.data, m.Data...)
	}
	if !h.last {
		return nil, nil
	}
	data := a.data
	a.parts, a.data = 0, nil
	return &channel.Message{First: h.first, Seq: m.Seq, Time: m.Time, Totals: h.totals, Data: data}, nil
}
