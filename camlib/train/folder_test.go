package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
)

// TestFolderWithoutACheckpoint: a finished run is taken as it is; nothing of anybody
// is overwritten.
func TestFolderWithoutACheckpoint(t *testing.T) {
	config, ds, c := made(t)
	log, err := c.History.encode()
	if err != nil {
		t.Fatal(err)
	}
	other := encode(t, tiny(3))
	changed := func(change func(*History)) []byte {
		h := c.History
		h.Epochs = slices.Clone(h.Epochs)
		change(&h)
		data, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, row := range []struct {
		what       string
		model, log []byte
		epochs     int
		want       string // "" is a finished run
	}{
		{"all of a finished run", c.model, log, 2, ""},
		{"more epochs than asked for", c.model, log, 1, ""},
		{"fewer epochs than asked for", c.model, log, 3, "2 epochs done, want 3: without that file no more can be added"},
		{"a model alone", c.model, nil, 2, "a model.safetensors without a log.json"},
		{"anything of that name alone", []byte("mine"), nil, 2, "a model.safetensors without a log.json"},
		{"a log alone", nil, log, 2, "a log.json without a model.safetensors"},
		{"another model", other, log, 2, "its model.safetensors: sha256 "},
		{"a damaged model", c.model[:len(c.model)-1], log, 2, "its model.safetensors: sha256 "},
		{"an empty model", []byte{}, log, 2, "its model.safetensors: sha256 "},
		{"a damaged log", c.model, log[:len(log)/2], 2, "unexpected end of JSON input"},
		{"an empty log", c.model, []byte{}, 2, "unexpected end of JSON input"},
		{"a log of another architecture", c.model, changed(func(h *History) { h.Architecture = "resnet18" }), 2, `architecture "resnet18"`},
		{"a log of other settings", c.model, changed(func(h *History) { h.Config.Seed = 6 }), 2, "it was made with seed 6, this training has 5"},
		{"a log of other images", c.model, changed(func(h *History) { h.TrainData = "0" }), 2, "training images and labels of sha256 0"},
		{"a log from before it told the images", c.model, changed(func(h *History) { h.TrainData, h.ModelData = "", "" }), 2, "training images and labels of sha256 , this"},
		{"a log without an epoch", c.model, changed(func(h *History) { h.Epochs = h.Epochs[1:] }), 2, "epoch 2 in the place of epoch 1"},
	} {
		t.Run(row.what, func(t *testing.T) {
			config := config
			config.Dir, config.Epochs = t.TempDir(), row.epochs
			if row.model != nil {
				put(t, config.Dir, network.ModelFile, row.model)
			}
			if row.log != nil {
				put(t, config.Dir, LogFile, row.log)
			}
			put(t, config.Dir, "notes.txt", []byte("mine"))
			before := written(t, config.Dir)
			notice := ""
			config.OnNotice = func(text string) { notice += text }
			m, h, err := run(t, config, ds)
			if want := config.Dir + " has 2 epochs, 1 more than asked for"; (notice == want) != (row.epochs == 1) {
				t.Errorf("notice %q, want %q where there are more", notice, want)
			}
			if !maps.Equal(written(t, config.Dir), before) {
				t.Error("the folder was changed")
			}
			if row.want != "" {
				if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "nothing was overwritten: choose another folder") {
					t.Errorf("error %v, want one that says %q and what to do", err, row.want)
				}
				return
			}
			if err != nil || len(h.Epochs) != 2 || h.Backend != "made up" || !slices.Equal(encode(t, m), c.model) {
				t.Errorf("error %v, log %+v, want the log and the model of the folder", err, h)
			}
		})
	}
}

// TestSettingsAreThereFromTheStart: a folder has the log, without epochs, as soon as a training
// begins; one that is killed before its first checkpoint keeps nobody from the folder.
func TestSettingsAreThereFromTheStart(t *testing.T) {
	config, ds, _ := made(t)
	config.Dir = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, seed := range []int64{5, 6} { // the second finds the first's log
		config.Seed = seed
		var h *History
		config.OnStep = func(Progress) {
			var err error
			if h, err = ReadHistory(config.Dir); err != nil {
				t.Fatal(err)
			}
			files := written(t, config.Dir)
			if files[network.ModelFile] != "" || files[TrainingFile] != "" {
				t.Errorf("files %v, want no checkpoint yet", slices.Collect(maps.Keys(files)))
			}
			stop()
		}
		if _, err := Train(ctx, backendtest.Go(t), tiny(3), ds, ds, config); err == nil {
			t.Fatal("no error, want the training stopped")
		}
		if h == nil || h.Config.Seed != seed || len(h.Epochs) != 0 || h.TrainData == "" {
			t.Errorf("log %+v, want the settings with seed %d and no epochs", h, seed)
		}
		if err := os.Remove(filepath.Join(config.Dir, TrainingFile)); err != nil { // as if killed
			t.Fatal(err)
		}
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
	}
}

// TestModelAndLogAreRepaired: beside a good checkpoint a training leaves its model and
// log, whatever was there; what is not its own is kept under another name.
func TestModelAndLogAreRepaired(t *testing.T) {
	config, ds, c := made(t)
	log, err := c.History.encode()
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	older := encode(t, tiny(3))
	h := c.History
	h.Epochs, h.ModelData = h.Epochs[:1], hash(older)
	olderLog, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	torn := c.model[:len(c.model)-1]
	for _, row := range []struct {
		what       string
		model, log []byte // nil is a missing file
		kept       []string
	}{
		{"both right", c.model, log, nil},
		{"both missing", nil, nil, nil},
		{"no model", nil, log, nil},
		{"no log", c.model, nil, nil},
		{"a torn model", torn, log, []string{"model.damaged.safetensors"}},
		{"an empty model", []byte{}, log, []string{"model.damaged.safetensors"}},
		{"another model", older, log, []string{"model.damaged.safetensors"}},
		{"a torn log", c.model, log[:99], []string{"log.damaged.json"}},
		{"both torn", torn, log[:99], []string{"model.damaged.safetensors", "log.damaged.json"}},
		{"both of the epoch before", older, olderLog, nil},
		{"the log of the epoch before", c.model, olderLog, nil},
	} {
		t.Run(row.what, func(t *testing.T) {
			config := config
			config.Dir = t.TempDir()
			var notices []string
			config.OnNotice = func(text string) { notices = append(notices, text) }
			put(t, config.Dir, TrainingFile, data)
			for name, content := range map[string][]byte{network.ModelFile: row.model, LogFile: row.log} {
				if content != nil {
					put(t, config.Dir, name, content)
				}
			}
			_, got, err := run(t, config, ds)
			if err != nil || len(got.Epochs) != 2 {
				t.Fatalf("error %v, want the two epochs", err)
			}
			after := written(t, config.Dir)
			if after[network.ModelFile] != string(c.model) || after[LogFile] != string(log) || after[TrainingFile] != string(data) {
				t.Error("want model, log and checkpoint of the training")
			}
			if after[BestFile] != string(c.model) || len(after) != 4+len(row.kept) || len(notices) != len(row.kept) {
				t.Errorf("%d files, notices %q, want %d kept ones and a notice of each", len(after), notices, len(row.kept))
			}
			for i, name := range row.kept {
				if _, ok := after[name]; !ok || !strings.Contains(notices[i], name+", and written again from the checkpoint") {
					t.Errorf("notice %q, want that and where what was there is kept as %s", notices[i], name)
				}
			}
		})
	}
}

// TestFolderThatCannotBeWritten is noticed by Check, before there are data.
func TestFolderThatCannotBeWritten(t *testing.T) {
	top := t.TempDir()
	put(t, top, "file", nil)
	for name, target := range map[string]string{"dangling": "nowhere/at/all", "link": "."} {
		if err := os.Symlink(filepath.Join(top, target), filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(top, "odd", lock.File), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"file":       "not a directory; want a folder that can be made or written to",
		"file/below": "not a directory; want a folder that can be made or written to",
		"dangling":   "want a folder that can be made or written to",
		"odd":        "is a directory; want a folder that can be written to",
		"a\x00b":     "want a folder that can be made or written to",
		"link":       "",
		"new/deep":   "",
	} {
		err := Config{Dir: filepath.Join(top, dir)}.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "train: checkpoint folder "+top)) {
			t.Errorf("%s: error %v, want one that says %q", dir, err, want)
		}
	}
	if err := (Config{Epochs: -1, Dir: filepath.Join(top, "never")}).Check(); err == nil {
		t.Error("-1 epochs: no error")
	}
	if _, err := os.Stat(filepath.Join(top, "never")); err == nil {
		t.Error("a folder was made for a training that cannot be")
	}
}

// TestDamagedFilesAreSetAside: a file or a folder, whatever was set aside before.
func TestDamagedFilesAreSetAside(t *testing.T) {
	f := &folder{dir: t.TempDir()}
	for n := range mostAside + 2 {
		if n%2 == 0 {
			if err := os.WriteFile(f.path(TrainingFile), fmt.Append(nil, n), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if err := os.MkdirAll(filepath.Join(f.path(TrainingFile), "inside"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := f.setAside(TrainingFile, errors.New("damaged")); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.ReadFile(f.path("training.damaged.safetensors"))
	if err != nil || string(first) != "0" {
		t.Errorf("the first is %q (%v)", first, err)
	}
	if all, err := os.ReadDir(f.dir); err != nil || len(all) != mostAside {
		t.Errorf("%d are kept (%v), want %d", len(all), err, mostAside)
	}
}

// TestLeftOverFilesAreRemoved: ours and no other's.
func TestLeftOverFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".training.safetensors", ".model.safetensors7.txt", "model.safetensors123", ".notes.json1", ".log.jsonx1"}
	for _, name := range append([]string{".training.safetensors123", ".model.safetensors9", ".log.json77"}, keep...) {
		put(t, dir, name, nil)
	}
	f := open(t, dir)
	defer f.close()
	left := slices.Sorted(maps.Keys(written(t, dir)))
	slices.Sort(keep)
	if !slices.Equal(left, keep) {
		t.Errorf("left %q, want %q", left, keep)
	}
}

// TestOneTrainingAFolder: a second one in this process or another is an error until
// the first ends, and one that is killed leaves no lock.
func TestOneTrainingAFolder(t *testing.T) {
	const variable = "CAMLAB_TEST_HOLD"
	if dir := os.Getenv(variable); dir != "" {
		_, err := openFolder(dir, holds(), 2, nil)
		fmt.Println(err)
		fmt.Scanln() //nolint:errcheck // waits to be killed
		return
	}
	dir := t.TempDir()
	f := open(t, dir)
	config, ds, _ := made(t)
	config.Dir = dir
	put(t, dir, ".model.safetensors9", nil) // of the running one, perhaps
	_, _, err := run(t, config, ds)
	want := fmt.Sprintf("train: checkpoint folder %s: in use by process %d on ", dir, os.Getpid())
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; wait for its end or choose another folder") {
		t.Errorf("second training: error %v, want one that begins with %q", err, want)
	}
	if len(written(t, dir)) != 1 {
		t.Error("the second training removed a file of the first")
	}
	f.close()

	cmd := exec.Command(os.Args[0], "-test.run=^TestOneTrainingAFolder$")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said string
	if _, err := fmt.Fscanln(out, &said); err != nil || said != "<nil>" {
		t.Errorf("the other process: %q, error %v", said, err)
	}
	if err := (Config{Dir: dir}).Check(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d on ", cmd.Process.Pid)) {
		t.Errorf("while another process has the folder: error %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // killed
	if err := (Config{Dir: dir}).Check(); err != nil {
		t.Errorf("after it was killed: %v", err)
	}
}

// TestStoppedBeforeTheFirstStep: there is a checkpoint to go on from, and no model yet.
func TestStoppedBeforeTheFirstStep(t *testing.T) {
	config, ds, _ := made(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 2 {
		if _, err := Train(ctx, backendtest.Go(t), tiny(1), ds, ds, config); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped in epoch 1 after 0 steps; train again") {
			t.Errorf("error %v, want one that says how to go on", err)
		}
	}
	c, err := (&folder{dir: config.Dir, holds: holds()}).read(TrainingFile)
	if err != nil || c.Position != (position{}) || len(written(t, config.Dir)) != 3 {
		t.Errorf("error %v, want a checkpoint at the beginning, the same before it, the log, and no model", err)
	}
}
