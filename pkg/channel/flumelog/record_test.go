package flumelog

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// someLog returns a log with a put, its commit and a take, as Flume writes them.
func someLog() []byte {
	message := func(b []byte, fields ...byte) []byte { return protowire.AppendBytes(b, fields) }
	header := func(k kind) []byte {
		h := protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), uint32(k))
		h = protowire.AppendFixed64(protowire.AppendTag(h, 2, protowire.Fixed64Type), 7)
		h = protowire.AppendFixed64(protowire.AppendTag(h, 3, protowire.Fixed64Type), uint64(k))
		return message(nil, h...)
	}
	var log []byte
	for _, r := range [][]byte{
		append(header(put), "\x09\x0a\x07\x12\x05hello\x00"...),
		append(header(commit), "\x05\x0d\x01\x00\x00\x00\x00"...),
		append(header(take), "\x0a\x0d\x01\x00\x00\x00\x15\x00\x00\x00\x00\x00"...),
	} {
		log = append(log, opRecord, 0, 0, 0, byte(len(r)))
		log = append(log, r...)
	}
	return append(log, bytes.Repeat([]byte{opEnd}, 32)...)
}

// FuzzLog holds that no bytes of a log, of either version, panic or keep its
// reader from coming to the end, and that what it counts as whole can be read.
func FuzzLog(f *testing.F) {
	f.Add(someLog())
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x7f\xde\xad\xbe\xef\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x00\x00\x00\x00\x01\x8c\x01k\x8c\x01v\x00\x00\x00\x01x\x80\x80"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "log-1")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		l, damage, err := openLog(name, 1, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if l == nil {
			return
		}
		defer l.file.Close()
		for last := int64(-1); ; {
			rec, at, err := l.next(&damage)
			if err != nil {
				break
			}
			if at <= last {
				t.Fatalf("a record at %d follows one at %d", at, last)
			}
			last = at
			if rec.kind != put {
				continue
			}
			if _, err := l.event(at); err != nil && !isDamage(err) {
				t.Fatal(err)
			}
		}
		for _, d := range damage {
			if d.Offset < 0 || d.Offset > int64(len(data)) {
				t.Errorf("damage at %d of %d bytes", d.Offset, len(data))
			}
		}
	})
}

// TestSomeLog holds that the fuzz test starts from something that is whole.
func TestSomeLog(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log-1")
	if err := os.WriteFile(name, someLog(), 0o644); err != nil {
		t.Fatal(err)
	}
	l, _, err := openLog(name, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	var damage []*Damage
	for _, want := range []kind{put, commit, take} {
		rec, at, err := l.next(&damage)
		if err != nil || rec.kind != want {
			t.Fatalf("got kind %d, %v; want %d", rec.kind, err, want)
		}
		if want == put {
			if e, err := l.event(at); err != nil || string(e.Body) != "hello" {
				t.Errorf("got %q, %v; want hello", e.Body, err)
			}
		}
	}
	if len(damage) != 0 {
		t.Errorf("got damage %v", damage)
	}
}
