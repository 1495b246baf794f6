package kernels

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/plugin"
)

// flags finds out which of the wheel's flags are the fastest on this machine, by a
// piece of a training step and by blocks of networks from files, and records them beside the
// plugin. Which they are depends on the processor: with AVX-512 and without, the order is
// another.
func (s *setup) flags(ctx context.Context) (string, bool, error) {
	file := filepath.Join(s.pluginDir, plugin.FlagsFile)
	if s.report.PluginSource != wheel.String() && s.report.Plugin != filepath.Join(s.pluginDir, plugin.FileName("cpu")) {
		return "left as they are: the plugin is not the one that setup installs", false, nil
	}
	want := wheel.stamp() + " " + processor()
	if s.fresh("flags", want, file) {
		return "up to date", false, nil
	}
	s.say("XLA flags", "measuring which are the fastest here")
	var chosen, said []string
	for _, of := range []struct {
		sample, text string
		flags        []string
	}{{"own", "chosen", wheel.own}, {"files", "for networks from files", wheel.foreign}} {
		times, err := s.timeFlags(ctx, of.sample, of.flags)
		if err != nil {
			return "", false, err
		}
		best := fastest(times)
		if best.err != nil {
			return "not measured: " + lastLine(best.err), false, nil
		}
		var all []string
		for _, t := range times {
			all = append(all, t.String())
		}
		chosen = append(chosen, best.flags)
		said = append(said, fmt.Sprintf("%s: %s (%s; all: %s)", of.text, best.flags, best, strings.Join(all, ", ")))
	}
	if err := atomicfile.WriteFile(file, flagsFile(chosen[0], chosen[1])); err != nil {
		return "", false, err
	}
	return strings.Join(said, "; "), true, s.setStamp("flags", want)
}

// timing is what a sample took, the median of some turns.
type timing struct {
	flags   string
	seconds float64
	err     error
}

func (t timing) String() string {
	if t.err != nil {
		return "fails"
	}
	return fmt.Sprintf("%.0f ms", t.seconds*1000)
}

// fastest is the first that takes at most a twentieth longer than the least.
func fastest(times []timing) timing {
	least := slices.MinFunc(times, func(a, b timing) int { return cmp.Compare(a.seconds, b.seconds) })
	return times[slices.IndexFunc(times, func(t timing) bool { return t.seconds <= 1.05*least.seconds })]
}

// timeFlags has a process for each of the flags do the same work in turns, so that
// what else the machine does meets all of them. It fails only when interrupted.
func (s *setup) timeFlags(ctx context.Context, sample string, flags []string) ([]timing, error) {
	const turns = 9
	times, took := make([]timing, len(flags)), make([][]float64, len(flags))
	var workers []*worker
	for i, f := range flags {
		w, err := s.worker(ctx, sample, f)
		times[i] = timing{f, maxSeconds, err}
		workers = append(workers, w)
		if err == nil {
			defer w.stop()
		}
	}
	for range turns {
		for i, w := range workers {
			if times[i].err != nil {
				continue
			}
			var seconds float64
			if seconds, times[i].err = w.turn(); times[i].err == nil {
				took[i] = append(took[i], seconds)
			}
		}
	}
	for i := range times {
		if times[i].err == nil {
			slices.Sort(took[i])
			times[i].seconds = took[i][turns/2]
		}
	}
	return times, ctx.Err()
}

const maxSeconds = 1e9 // more than anything takes

// worker is a `camlab doctor --sample`.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	log bytes.Buffer
}

func (s *setup) worker(ctx context.Context, sample, flags string) (*worker, error) {
	w := &worker{cmd: s.Command(ctx, s.camlab, "doctor", "--sample", sample)}
	w.cmd.Env = append(w.cmd.Env, plugin.PathEnv+"="+s.pluginDir, "XLA_FLAGS="+flags)
	w.cmd.Stderr = &w.log
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.in, w.out = in, bufio.NewScanner(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := w.read(); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

func (w *worker) read() (string, error) {
	if !w.out.Scan() {
		return "", fmt.Errorf("it ended: %s", tail(w.log.String()))
	}
	return w.out.Text(), nil
}

// turn has the work done once.
func (w *worker) turn() (seconds float64, err error) {
	if _, err := io.WriteString(w.in, "\n"); err != nil {
		return 0, err
	}
	text, err := w.read()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

func (w *worker) stop() {
	w.in.Close()
	w.cmd.Wait() //nolint:errcheck // all that it says has been read
}

// processor is what of the machine decides which flags are fast, as Linux says it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	var of []string
	for line := range strings.Lines(string(info)) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "model name", "flags":
			of = append(of, strings.TrimSpace(value))
		}
	}
	return strings.Join(of, "|")
}
