package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// streamLimit is how much a cell may show of standard output or error, in bytes.
	streamLimit = 2 << 20
	// flushTime is how often text is shown while a cell runs.
	flushTime = 50 * time.Millisecond
	// holdTime is how long the begin of a Go crash is held back: if the process ends,
	// it is told in the error of the cell. Go needs seconds to write the calls of a
	// stack that has overflown.
	holdTime  = 300 * time.Millisecond
	fatalTime = 10 * time.Second
	holdLimit = 256 << 10
)

// stream is standard output or error on its way to the cell.
type stream struct {
	name string
	out  func() *output // of the cell that runs or ran last
	// plain is that of a command: no crash of it is told elsewhere.
	plain bool
	mark  func(id int) // a request's end has been read

	mu      sync.Mutex
	text    []byte // to be shown
	tail    []byte // may be part of a mark
	timer   *time.Timer
	shown   int
	dropped int
	held    []byte // may be a crash
	holding bool
	newline bool // the text before ended with one
}

func newStream(name string, out func() *output, mark func(int)) *stream {
	return &stream{name: name, out: out, mark: mark, newline: true}
}

// copy shows what comes through a pipe until that is closed.
func (s *stream) copy(p *pipe) {
	b := make([]byte, 64<<10)
	for {
		n, err := p.Read(b)
		if n > 0 {
			_, _ = s.Write(b[:n]) // never fails
		}
		if err != nil {
			return
		}
	}
}

// Write takes text with marks in it.
func (s *stream) Write(b []byte) (int, error) {
	n := len(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tail) > 0 {
		b = append(s.tail, b...)
		s.tail = nil
	}
	for len(b) > 0 {
		at := bytes.IndexByte(b, 0)
		if at < 0 {
			s.add(b)
			break
		}
		s.add(b[:at])
		b = b[at:]
		id, length, whole := parseMark(b)
		switch {
		case length > 0:
			s.flush(true)
			s.mark(id)
			b = b[length:]
		case !whole:
			s.tail = bytes.Clone(b)
			return n, nil
		default:
			s.add(b[:1])
			b = b[1:]
		}
	}
	return n, nil
}

// parseMark reads a wire.Mark at the begin of b. Its length is 0 if there is none;
// whole is false if there may be one when more has come.
func parseMark(b []byte) (id, length int, whole bool) {
	const head = "\x00camlab:"
	if len(b) < len(head) {
		return 0, 0, !strings.HasPrefix(head, string(b))
	}
	if string(b[:len(head)]) != head {
		return 0, 0, true
	}
	digits := b[len(head):min(len(b), len(head)+20)]
	end := bytes.IndexByte(digits, 0)
	if end < 0 {
		return 0, 0, len(digits) == 20
	}
	id, err := strconv.Atoi(string(digits[:end]))
	if err != nil {
		return 0, 0, true
	}
	return id, len(head) + end + 1, true
}

// crash finds where the report of a crash begins in standard error.
func (s *stream) crash(b []byte) int {
	if s.newline && crashStart.Match(b[:min(len(b), 64)]) {
		return 0
	}
	if at := crashLine.FindIndex(b); at != nil {
		return at[0] + 1
	}
	return -1
}

const crashWords = `(panic: |fatal error: |runtime: |SIG[A-Z]+: |unexpected fault address|goroutine \d+ )`

var (
	crashStart = regexp.MustCompile(`^` + crashWords)
	crashLine  = regexp.MustCompile(`\n` + crashWords)
)

func (s *stream) add(b []byte) {
	if len(b) == 0 {
		return
	}
	if s.name == "stderr" && !s.plain {
		if !s.holding {
			if at := s.crash(b); at >= 0 {
				s.show(b[:at])
				b = b[at:]
				s.holding = true
				wait := holdTime
				if bytes.HasPrefix(b, []byte("runtime: ")) || bytes.HasPrefix(b, []byte("fatal error: ")) {
					wait = fatalTime
				}
				time.AfterFunc(wait, s.release)
			}
		}
		s.newline = b[len(b)-1] == '\n'
		if s.holding {
			s.held = append(s.held, b[:min(len(b), holdLimit-len(s.held))]...)
			if len(s.held) < holdLimit {
				return
			}
			b = b[len(b):]
		}
	}
	s.show(b)
}

// show takes text to be shown at the next flush.
func (s *stream) show(b []byte) {
	n := min(len(b), streamLimit-s.shown)
	s.shown += n
	s.dropped += len(b) - n
	s.text = append(s.text, b[:n]...)
	if len(s.text) > 0 && s.timer == nil {
		s.timer = time.AfterFunc(flushTime, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flush(false)
		})
	}
}

// flush shows the text so far. What may be the begin of a character waits for its
// rest unless it is the last.
func (s *stream) flush(last bool) {
	if last && s.holding {
		held := s.held
		s.held, s.holding = nil, false
		s.show(held)
	}
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	text := s.text
	if !last {
		for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
			if c := text[len(text)-i]; utf8.RuneStart(c) {
				if !utf8.FullRune(text[len(text)-i:]) {
					text = text[:len(text)-i]
				}
				break
			}
		}
	}
	if len(text) > 0 {
		s.out().Stream(s.name, strings.ToValidUTF8(string(text), "\uFFFD"))
	}
	s.text = append([]byte(nil), s.text[len(text):]...)
}

// Flush shows the text so far.
func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush(false)
}

// release shows what was held back and is no crash.
func (s *stream) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holding {
		s.flush(true)
	}
}

// crashed takes what was held back.
func (s *stream) crashed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	s.held, s.holding = nil, false
	return strings.ToValidUTF8(string(held), "\uFFFD")
}

// end shows all text of a cell and says how much was not shown.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush(true)
	if s.dropped > 0 {
		s.out().Stream(s.name, fmt.Sprintf("\n%s more are not shown\n", megabytes(s.dropped)))
	}
	s.shown, s.dropped = 0, 0
}

func megabytes(n int) string {
	if n < 1e5 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
