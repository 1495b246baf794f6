package kernels

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/camlab-go/camlab/internal/plugin"
)

// interrupted interrupts a cell that would run for hours and returns what it has shown.
func (s *session) interrupted(what, id string) cellOutput {
	s.t.Helper()
	begun := time.Now()
	s.must("interrupt", nil)
	a := s.end(id)
	s.t.Logf("%s: idle %.2f s after the interrupt", what, time.Since(begun).Seconds())
	return a.Cell
}

// wants checks that an output's text holds all of the words.
func wants(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in %q", what, w, text[:min(len(text), 1500)])
		}
	}
}

// TestNotebookFaults does to one kernel what its users do, in a row. After each
// fault it has to compute as before.
func TestNotebookFaults(t *testing.T) {
	s := startKernel(t, environment(t), PureGo)
	fault := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			s.t = t
			f(t)
			s.alive()
		})
		s.t = t
	}
	fault("a panic", func(t *testing.T) {
		s.run("kept := 5")
		out := s.run("var counts map[string]int\ncounts[\"frog\"]++")
		wants(t, "panic", out.Stderr, "assignment to entry in nil map", "line 2")
		if got := s.run("kept"); out.Status != "error" || !strings.Contains(got.Shown, "5") {
			t.Errorf("status %s, and then kept is %+v", out.Status, short(got))
		}
	})
	fault("two main functions", func(t *testing.T) {
		if out := s.run("%%\nfmt.Println(1)\n%%\nfmt.Println(2)"); out.Stdout != "1\n2\n" || out.Status != "ok" {
			t.Errorf("%+v", short(out))
		}
	})
	fault("%%script without a command", func(t *testing.T) {
		if out := s.run("%%script"); out.Status != "error" || out.Stderr == "" {
			t.Errorf("%+v", short(out))
		}
	})
	fault("the end of the process", func(t *testing.T) {
		s.run("lost := 1\nfunc stays() int { return 7 }")
		out := s.run("syscall.Kill(os.Getpid(), syscall.SIGKILL)\nselect {}")
		wants(t, "killed", out.Stderr, "killed", "lost")
		if got := s.run("stays()"); !strings.Contains(got.Shown, "7") {
			t.Errorf("a function after it: %+v", short(got))
		}
		wants(t, "a value after it", s.run("lost").Stderr, "lost")
	})
	fault("memory that runs out", func(t *testing.T) {
		// The limit is the process's own, so that the machine is not in danger.
		out := s.run("limit := syscall.Rlimit{Cur: 4 << 30, Max: 4 << 30}\nif err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil { panic(err) }\nvar kept [][]byte\nfor range 100 { kept = append(kept, make([]byte, 256<<20)) }\nfmt.Println(len(kept))")
		wants(t, "memory", out.Stderr, "out of memory")
	})
	fault("a loop without end", func(t *testing.T) {
		id := s.begin("fmt.Println(\"begun\")\nfor {}")
		s.until(id, "begun")
		wants(t, "loop", s.interrupted("loop", id).Stderr, "interrupted", "line 2")
	})
	fault("a cell that waits", func(t *testing.T) {
		id := s.begin("waited := 1\nfmt.Println(\"begun\")\nselect {}")
		s.until(id, "begun")
		wants(t, "wait", s.interrupted("wait", id).Stderr, "interrupted", "line 3")
		if got := s.run("waited"); !strings.Contains(got.Shown, "1") {
			t.Errorf("a value after it: %+v", short(got))
		}
	})
	fault("a million lines", func(t *testing.T) {
		const lines = 1_000_000
		begun := time.Now()
		out := s.run(fmt.Sprintf("for i := range %d { fmt.Println(\"line\", i) }", lines))
		t.Logf("%d bytes in %d messages in %.1f s", out.Bytes, out.Messages, time.Since(begun).Seconds())
		wants(t, "lines", out.Stdout+out.Stderr, "line 0\nline 1\n", "MB more are not shown")
		if out.Bytes > 4<<20 {
			t.Errorf("%d bytes are shown", out.Bytes)
		}
	})
	fault("cells run while another runs", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		first := s.begin(fmt.Sprintf("fmt.Println(\"waits\")\nos.ReadFile(%q)\nfmt.Print(\"first \", time.Now().UnixNano())", pipe))
		second := s.begin("fmt.Print(\"second \", time.Now().UnixNano())")
		s.until(first, "waits")
		if err := os.WriteFile(pipe, nil, 0); err != nil {
			t.Fatal(err)
		}
		a, b := s.end(second), s.end(first)
		var then, now int64
		if _, err := fmt.Sscanf(b.Cell.Stdout, "waits\nfirst %d", &then); err != nil {
			t.Errorf("the first cell: %+v", short(b.Cell))
		}
		if _, err := fmt.Sscanf(a.Cell.Stdout, "second %d", &now); err != nil {
			t.Errorf("the second cell: %+v", short(a.Cell))
		}
		if now < then {
			t.Errorf("the second cell ran %s before the first one's end", time.Duration(then-now))
		}
	})
}

// training is a cell that trains on the embedded sample.
func training(dir, step string, epochs, images, batch, testImages int) string {
	return fmt.Sprintf(`data := cifar10.Sample()
first := func(n int) *cifar10.Dataset { return &cifar10.Dataset{Pixels: data.Pixels[:n*32*32*3], Labels: data.Labels[:n]} }
backend := Must(camlib.Backend(""))
h := notebook.Train(backend, article.New(1), first(%[4]d), first(%[6]d), train.Config{Dir: %[1]q, Step: %[2]q, Epochs: %[3]d, BatchSize: %[5]d, Augment: train.None, Seed: 1})
fmt.Println("epochs:", len(h.Epochs))`, dir, step, epochs, images, batch, testImages)
}

// TestNotebookInterruptedTraining interrupts a training at each of its kinds of
// work, and restarts a kernel in the middle of one. The checkpoint has to load
// and the training to go on from it every time.
func TestNotebookInterruptedTraining(t *testing.T) {
	env := environment(t)
	if _, _, err := plugin.Find("cpu"); err != nil {
		t.Skip("no XLA plugin: `camlab setup`")
	}
	s := startKernel(t, env, XLACPU)
	dir := filepath.Join(t.TempDir(), "run")
	again := "train again with the same settings and folder " + dir + " to go on from"
	// goesOn trains to the end of one more epoch than the log has, which shows
	// that the folder is whole.
	goesOn := func() {
		t.Helper()
		begun := len(epochsIn(t, dir))
		out := s.run(training(dir, "plain", begun+1, 250, 25, 250))
		wants(t, "resumed", out.Stdout+out.Stderr, fmt.Sprintf("epochs: %d", begun+1))
		if got := s.run(fmt.Sprintf("_, err := article.Load(%q)\nfmt.Print(err)", dir)); got.Stdout != "<nil>" {
			t.Errorf("article.Load of the folder: %+v", short(got))
		}
	}

	id := s.begin(training(dir, "plain", 1_000_000, 250, 25, 250))
	s.until(id, "epoch 2 of 1000000")
	wants(t, "steps", s.interrupted("steps", id).Stderr, again)
	goesOn()

	id = s.begin(training(dir, "winograd", 1_000_000, 250, 25, 250))
	s.until(id, "compiling the training step")
	out := s.interrupted("compilation of the Winograd step", id)
	wants(t, "compilation", out.Stderr, again)
	goesOn()

	evaluation := filepath.Join(t.TempDir(), "evaluation")
	id = s.begin(training(evaluation, "plain", 1_000_000, 250, 25, 1000))
	s.until(id, "step 10 of 10")
	wants(t, "evaluation", s.interrupted("evaluation", id).Stderr, "folder "+evaluation+" to go on from")

	// A large batch: a step takes seconds.
	slow := filepath.Join(t.TempDir(), "slow")
	id = s.begin(training(slow, "plain", 1_000_000, 1000, 1000, 250))
	s.until(id, "epoch 1 of 1000000")
	wants(t, "one large step", s.interrupted("one large step", id).Stderr, slow)

	id = s.begin(training(dir, "plain", 1_000_000, 250, 25, 250))
	s.until(id, fmt.Sprintf("epoch %d of 1000000", len(epochsIn(t, dir))+2))
	s.must("restart", nil)
	goesOn()
}

// epochsIn lists the epochs of a checkpoint folder's log.
func epochsIn(t *testing.T, dir string) []any {
	t.Helper()
	var log struct{ Epochs []any }
	text, err := os.ReadFile(filepath.Join(dir, "log.json"))
	if err == nil {
		err = json.Unmarshal(text, &log)
	}
	if err != nil {
		t.Fatal(err)
	}
	return log.Epochs
}
