package runs

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// TestEventBytes compares records with those that tensorboard 2.21.0 writes
// (tensorboard.summary.writer.record_writer.RecordWriter, of event_pb2.Event).
func TestEventBytes(t *testing.T) {
	at := time.Unix(1, 5e8)
	for _, row := range []struct {
		what  string
		write func(e *eventWriter)
		want  string
	}{
		{"version", func(e *eventWriter) { e.version(at) },
			"1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"},
		{"scalar", func(e *eventWriter) { e.scalar(at, 300, "test/loss", 0.25) },
			"200000000000000029eda95009000000000000f83f10ac022a120a100a09746573742f6c6f7373150000803ecdefac47"},
		{"text", func(e *eventWriter) { e.text(at, 1, "settings", "| a |") },
			"34000000000000005e33175c09000000000000f83f10012a270a250a0873657474696e6773420f080712041202080142057c2061207c4a080a060a0474657874edf71445"},
	} {
		w := new(limited)
		w.left = 1 << 20
		e := &eventWriter{w: w}
		row.write(e)
		if got := hex.EncodeToString(w.data); e.err != nil || got != row.want {
			t.Errorf("%s: %v, %s, want %s", row.what, e.err, got, row.want)
		}
	}
}

// TestEventsBegin is that a file begins with the event that says its version.
func TestEventsBegin(t *testing.T) {
	w := &limited{left: 1 << 20}
	if err := opened(t, written(t, "run", made(t, newer(), ""))).Events(w, nil); err != nil {
		t.Fatal(err)
	}
	first := w.data[12+9 : 12+24] // of 24 bytes, after its length and their checksum, and after the wall time
	if want := "\x1a\x0dbrain.Event:2"; string(first) != want {
		t.Errorf("first event %q, want %q", first, want)
	}
}

// TestEventsFail is that an error of writing comes out.
func TestEventsFail(t *testing.T) {
	r := opened(t, written(t, "run", made(t, newer(), "")))
	for _, left := range []int{0, 100, 500} {
		if err := r.Events(&limited{left: left}, nil); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
}

// limited takes so many bytes.
type limited struct {
	data []byte
	left int
}

var errFull = errors.New("full")

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.data, l.left = append(l.data, b[:n]...), l.left-n
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}
