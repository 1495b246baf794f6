package kernels

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// exec runs a program in the checkout.
func (s *setup) exec(ctx context.Context, env []string, name string, args ...string) error {
	cmd := s.Command(ctx, name, args...)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), firstWords(args), err, tail(string(out)))
	}
	return nil
}

func firstWords(args []string) string { return strings.Join(args[:min(3, len(args))], " ") }

// fresh tells whether a part was made from the given inputs and is still there.
func (s *setup) fresh(name, want string, paths ...string) bool {
	got, err := os.ReadFile(s.stamp(name))
	if err != nil || string(got) != want {
		return false
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (s *setup) setStamp(name, value string) error {
	path := s.stamp(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(value), 0o644)
}

// step runs one part and records it.
func (s *setup) step(name string, run func() (result string, changed bool, err error)) error {
	start := time.Now()
	s.mu.Lock()
	s.running[name] = start
	s.mu.Unlock()
	result, changed, err := run()
	took := time.Since(start).Seconds()
	s.mu.Lock()
	delete(s.running, name)
	s.report.Steps = append(s.report.Steps, Step{name, result, changed, took})
	s.mu.Unlock()
	if err != nil {
		s.say(name, "failed")
		return fmt.Errorf("%s: %w", name, err)
	}
	if changed {
		result = fmt.Sprintf("%s [%.1f s]", result, took)
	}
	s.say(name, result)
	return nil
}

func (s *setup) say(name, text string) {
	if s.opts.Progress != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.opts.Progress(fmt.Sprintf("%6.1f s  %s: %s", time.Since(s.start).Seconds(), name, text))
	}
}

// heartbeat says every ten seconds what is still running, until stopped.
func (s *setup) heartbeat() (stop func()) {
	return every(10*time.Second, func(time.Duration) {
		s.mu.Lock()
		var names []string
		for name := range s.running {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(s.running[a].UnixNano(), s.running[b].UnixNano()) })
		s.mu.Unlock()
		if len(names) > 0 {
			s.say("working on", strings.Join(names, ", "))
		}
	})
}
