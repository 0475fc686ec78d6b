package agent

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// writes keeps what each Write was given.
type writes struct{ all []string }

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, string(p))
	return len(p), nil
}

func TestLineWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-c\n]{0,30}\n){0,3}[a-c]{0,3}`).Draw(t, "text")
		var w writes
		l := &lineWriter{w: &w}
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if _, err := l.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		l.flush()
		if slices.ContainsFunc(w.all, func(s string) bool { return !strings.HasSuffix(s, "\n") }) {
			t.Fatalf("a part of a line was passed on: %q", w.all)
		}
		want := text
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got := strings.Join(w.all, ""); got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
	})
	t.Run("does not hold back a line without an end for ever", func(t *testing.T) {
		var w writes
		l := &lineWriter{w: &w}
		for range 3 * maxLine / 1024 {
			l.Write(make([]byte, 1024))
		}
		if len(w.all) != 3 || len(l.held) != 0 {
			t.Errorf("got %d writes, %d bytes held; want 3, 0", len(w.all), len(l.held))
		}
	})
}
