package runs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// TestWriteFiles is that the files follow the log, and are written only when they have to be.
func TestWriteFiles(t *testing.T) {
	h := history()
	files := made(t, h, "")
	files[".curves.png123"], files[".other1"] = "left over", "mine"
	dir := written(t, "run", files)
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func() {
		t.Helper()
		if err := WriteFiles(dir); err != nil {
			t.Fatal(err)
		}
	}
	checkFiles := func(epochs, accuracy string) {
		t.Helper()
		if got := strings.Count(read(EpochsFile), "\n"); got != len(h.Epochs)+1 {
			t.Errorf("%d lines of epochs, want %d", got, len(h.Epochs)+1)
		}
		for name, want := range map[string]string{CurvesFile: "over epoch 1 to " + epochs, ConfusionFile: "after epoch " + epochs + ", accuracy " + accuracy + " %"} {
			if got := pngtext.Get([]byte(read(name)), pngtext.Description); !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q in it", name, got, want)
			}
		}
	}
	write()
	checkFiles("3", "62.50")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 { // log, model, three files, and what is not theirs
		t.Errorf("%v, %v: want the left-over file gone, and nothing else", entries, err)
	}

	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	old := func() {
		for _, name := range []string{EpochsFile, CurvesFile, ConfusionFile} {
			if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	isOld := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.ModTime().Equal(long)
	}
	old()
	write()
	if !isOld(EpochsFile) || !isOld(CurvesFile) || !isOld(ConfusionFile) {
		t.Error("the same log: written again")
	}
	if err := os.Remove(filepath.Join(dir, ConfusionFile)); err != nil {
		t.Fatal(err)
	}
	write()
	checkFiles("3", "62.50")

	old()
	e := h.Epochs[1]
	e.Epoch = 4
	h.Epochs = append(h.Epochs, e)
	put(t, dir, train.LogFile, made(t, h, "")[train.LogFile])
	write()
	checkFiles("4", "75.00")

	// What cannot be drawn is no more there, and what can is new.
	h.Epochs = h.Epochs[:2]
	h.Epochs[1].Test.Confusion = nil
	put(t, dir, train.LogFile, made(t, h, "")[train.LogFile])
	if err := WriteFiles(dir); err == nil || !strings.Contains(err.Error(), "its log has none") {
		t.Errorf("without a matrix: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ConfusionFile)); err == nil {
		t.Error("the confusion matrix of an epoch before is still there")
	}
	if got := pngtext.Get([]byte(read(CurvesFile)), pngtext.Description); !strings.Contains(got, "over epoch 1 to 2") || strings.Count(read(EpochsFile), "\n") != 3 {
		t.Errorf("the other files are not of this log: %q", got)
	}
	if read(network.ModelFile) != model || read(".other1") != "mine" {
		t.Error("another file has changed")
	}
}

func TestWriteFilesFails(t *testing.T) {
	begun := written(t, "begun", map[string]string{train.StepsFile: line(1, 2)})
	if err := WriteFiles(begun); !errors.Is(err, ErrNoEpochs) || !strings.Contains(err.Error(), begun) {
		t.Errorf("without epochs: %v", err)
	}
	if err := WriteFiles(t.TempDir()); !errors.Is(err, ErrNoRun) {
		t.Errorf("no run: %v", err)
	}
	dir := written(t, "run", made(t, history(), ""))
	for _, name := range []string{EpochsFile, CurvesFile} { // where a folder stands there is no room for the file
		if err := os.MkdirAll(filepath.Join(dir, name, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := WriteFiles(dir)
	for _, name := range []string{EpochsFile, CurvesFile} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s in it", err, name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ConfusionFile)); err != nil {
		t.Errorf("the file that can be written: %v", err)
	}
}
