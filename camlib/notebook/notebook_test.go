package notebook

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/train"
)

// TestCheckEndsTheCell runs Check in a process of its own, as in a cell.
func TestCheckEndsTheCell(t *testing.T) {
	if os.Getenv("CAMLAB_CHECK") == "1" {
		Check(nil)
		Must(1, errors.New("cifar10: no data, want a folder"))
		t.Fatal("still running")
	}
	if out := endsTheCell(t, "CAMLAB_CHECK=1"); !strings.HasPrefix(out, "cifar10: no data, want a folder\n") {
		t.Errorf("error output %q, want the error in its first line and no panic", out)
	}
}

// endsTheCell runs the test that calls it in a process of its own, with more in its
// environment, wants it to end as a cell does on an error, and returns its error output.
func endsTheCell(t *testing.T, env ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the cell ended with %v, want exit status 1", err)
	}
	return stderr.String()
}

func TestQuick(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "": false, "0": false} {
		t.Setenv("CAMLAB_QUICK", value)
		if Quick() != want {
			t.Errorf("CAMLAB_QUICK=%q: quick %v, want %v", value, !want, want)
		}
	}
}

func TestChartsShowEveryEpochAndClass(t *testing.T) {
	h, err := article.Log()
	if err != nil {
		t.Fatal(err)
	}
	loss, f1 := charts(h.Epochs)
	if len(loss.Series) != 2 || len(f1.Series) != 11 {
		t.Fatalf("%d loss and %d F1 curves, want 2 and 11: macro and ten classes", len(loss.Series), len(f1.Series))
	}
	for _, s := range append(loss.Series, f1.Series...) {
		if len(s.Y) != len(h.Epochs) {
			t.Errorf("curve %s has %d points, want one per epoch, %d", s.Name, len(s.Y), len(h.Epochs))
		}
	}
	last := h.Epochs[len(h.Epochs)-1]
	if got := f1.Series[7]; got.Name != "frog" || got.Y[len(got.Y)-1] != last.Test.PerClass[6].F1 {
		t.Errorf("curve 7 is %s, ending at %v; want frog and %v", got.Name, got.Y[len(got.Y)-1], last.Test.PerClass[6].F1)
	}
	data, err := f1.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
}

// TestWatchDrawsCurvesUnlessBrief looks at what grows below the bar of a training.
func TestWatchDrawsCurvesUnlessBrief(t *testing.T) {
	h, err := article.Log()
	if err != nil {
		t.Fatal(err)
	}
	old := gonbui.IsNotebook
	gonbui.IsNotebook = true
	defer func() { gonbui.IsNotebook = old }()
	for brief, want := range map[bool]int{false: 2, true: 0} {
		w := &watch{brief: brief}
		for i, e := range h.Epochs[:2] {
			w.epoch(e)
			line := strings.Contains(w.pictures, fmt.Sprintf("epoch %d: train loss", i+1))
			if got := strings.Count(w.pictures, "<img"); got != want || line != brief {
				t.Errorf("brief %v, epoch %d: %d curves and the epoch's line %v, want %d and %v", brief, i+1, got, line, want, brief)
			}
		}
	}
}

func TestAbandonedSaysWhereToGoOn(t *testing.T) {
	dir := t.TempDir()
	epochs := []train.Epoch{{Epoch: 1}, {Epoch: 2}}
	for _, row := range []struct {
		dir    string
		file   bool
		epochs []train.Epoch
		want   string
	}{
		{"", false, nil, "no checkpoint folder was given: set Dir to keep one"},
		{dir, false, nil, "there is none in " + dir + " yet; train again to begin anew"},
		{dir, true, nil, "train again with the same settings and folder " + dir + " to go on from that one"},
		{dir, true, epochs, "train again with the same settings and folder " + dir + " to go on from that one, epoch 2"},
	} {
		if row.file {
			if err := os.WriteFile(filepath.Join(dir, train.TrainingFile), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := abandoned(row.dir, row.epochs); err == nil || !strings.HasSuffix(err.Error(), row.want) {
			t.Errorf("%v, want it to end in %q", err, row.want)
		}
	}
}

func TestComparisonGivesARunOneColour(t *testing.T) {
	h, err := article.Log()
	if err != nil {
		t.Fatal(err)
	}
	short := *h
	short.Epochs = h.Epochs[:3]
	loss, f1, err := comparison([]string{"long", "short"}, []*train.History{h, &short})
	if err != nil {
		t.Fatal(err)
	}
	if len(loss.Series) != 4 || len(f1.Series) != 2 {
		t.Fatalf("%d loss and %d F1 curves, want 4 and 2", len(loss.Series), len(f1.Series))
	}
	test, train := loss.Series[2], loss.Series[3]
	if test.Name != "short" || len(test.Y) != 3 || test.Y[2] != short.Epochs[2].Test.Loss || train.Y[2] != short.Epochs[2].TrainLoss {
		t.Errorf("curves %s of %v and %s of %v, want the short run's test and train loss", test.Name, test.Y, train.Name, train.Y)
	}
	if test.Color != train.Color || test.Color != f1.Series[1].Color || test.Color == loss.Series[0].Color {
		t.Error("want one colour for all curves of a run, and another for the other run")
	}
	if _, _, err := comparison([]string{"one"}, nil); err == nil || err.Error() != "notebook: compare: 1 names for 0 histories, want one for each" {
		t.Errorf("one name, no history: error %v", err)
	}
}

func TestScratchIsTheKernels(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GONB_TMP_DIR", dir)
	if got, want := Scratch(), filepath.Join(dir, "camlab-scratch"); got != want {
		t.Errorf("scratch %s, want %s", got, want)
	}
	if err := os.WriteFile(filepath.Join(Scratch(), "x"), nil, 0o600); err != nil {
		t.Error(err)
	}
}
