// Package progress writes how a training or a work on many images goes on, for people: one line that is
// written over while it goes on in a terminal, log lines elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/camlab-go/camlab/camlib/train"
)

// Step is one line about a running training.
func Step(p train.Progress) string {
	return fmt.Sprintf("epoch %d of %d · step %d of %d · loss %s · %.0f images/s · %s left",
		p.Epoch, p.Epochs, p.Step, p.Steps, loss(p.Loss), p.ImagesPerSecond, p.Remaining.Round(time.Second))
}

// Epoch is one line about a finished epoch, and a second one if it has a warning.
func Epoch(e train.Epoch) string {
	line := fmt.Sprintf("epoch %d: train loss %s, test loss %s, accuracy %.4f, macro-F1 %.4f",
		e.Epoch, loss(e.TrainLoss), loss(e.Test.Loss), e.Test.Accuracy, e.Test.MacroF1)
	if e.Warning != "" {
		line += "\nwarning: " + e.Warning
	}
	return line
}

// loss writes a loss to four places, one of a training gone wild in short.
func loss(c float64) string {
	if c >= 1e6 {
		return fmt.Sprintf("%.4g", c)
	}
	return fmt.Sprintf("%.4f", c)
}

// The line in a terminal is renewed five times a second. A log gets one soon, which says that the
// work has begun and how long it will take, and then one a minute.
const (
	terminalEvery = 200 * time.Millisecond
	logFirst      = 5 * time.Second
	logEvery      = time.Minute
)

// rewrite goes to the beginning of the terminal's line and clears it.
const rewrite = "\r\x1b[K"

// Lines writes a training's progress. Its methods fit [train.Config]'s
// OnStep, OnEpoch and OnNotice.
type Lines struct {
	out      io.Writer
	terminal bool
	last     time.Time
	open     bool // a line in the terminal has no end yet
}

// New returns Lines that write to out, as to a terminal if it is one.
func New(out io.Writer) *Lines {
	l := &Lines{out: out, last: time.Now().Add(logFirst - logEvery)}
	if f, ok := out.(*os.File); ok {
		l.terminal = term.IsTerminal(int(f.Fd()))
	}
	return l
}

// Step writes the line of a step when it is time.
func (l *Lines) Step(p train.Progress) { l.Write(func() string { return Step(p) }) }

// Images writes a line about a work on many images when it is time, of which done are
// done, and work began with first of them at start.
func (l *Lines) Images(first, done, all int, start time.Time) {
	l.Write(func() string {
		each := time.Since(start) / time.Duration(max(1, done-first))
		return fmt.Sprintf("image %d of %d · %.3g images/s · %s left", done, all, 1/max(each, 1).Seconds(), (time.Duration(all-done) * each).Round(time.Second))
	})
}

// Write writes a line when it is time.
func (l *Lines) Write(line func() string) {
	every := logEvery
	if l.terminal {
		every = terminalEvery
	}
	if time.Since(l.last) < every {
		return
	}
	l.last = time.Now()
	if !l.terminal {
		fmt.Fprintln(l.out, line())
		return
	}
	fmt.Fprint(l.out, rewrite+line())
	l.open = true
}

// Epoch writes the line of an epoch. It stays.
func (l *Lines) Epoch(e train.Epoch) {
	l.Notice(Epoch(e))
}

// Notice writes a line that stays.
func (l *Lines) Notice(text string) {
	l.Clear()
	fmt.Fprintln(l.out, text)
}

// Clear takes an unfinished line away.
func (l *Lines) Clear() {
	if l.open {
		fmt.Fprint(l.out, rewrite)
		l.open = false
	}
}
