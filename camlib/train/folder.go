package train

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/lock"
)

// The files of a checkpoint folder, beside [network.ModelFile] and [StepsFile]: what a training
// needs to go on, the same of the checkpoint before, its log, and its best model.
const (
	TrainingFile = "training.safetensors"
	PreviousFile = "training.previous.safetensors"
	LogFile      = "log.json"
	BestFile     = "best.safetensors" // the model of the best epoch, see [Epoch]
)

// folder is a checkpoint folder that one training alone writes to.
type folder struct {
	dir    string
	holds  content
	keep   int // checkpoints
	unlock func()
	notice func(string)
}

// leftOver are the temporary files of a process that was killed while it wrote,
// as internal/atomicfile and os.CreateTemp name them.
var leftOver = regexp.MustCompile(`^\.(` + strings.Join([]string{
	regexp.QuoteMeta(TrainingFile), regexp.QuoteMeta(network.ModelFile), regexp.QuoteMeta(LogFile), regexp.QuoteMeta(BestFile), regexp.QuoteMeta(StepsFile)}, "|") + `)[0-9]+$`)

// openFolder makes a folder if need be, locks it, clears it of left-over
// temporary files, and tries to write as much as a checkpoint takes.
func openFolder(dir string, holds content, keep int, notice func(string)) (*folder, error) {
	fail := func(err error) error {
		return fmt.Errorf("train: checkpoint folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fail(fmt.Errorf("%w; want a folder that can be made or written to", err))
	}
	unlock, err := lock.Dir(dir)
	switch {
	case errors.Is(err, lock.ErrHeld):
		return nil, fail(fmt.Errorf("%w, want one training at a time; wait for its end or choose another folder", err))
	case errors.Is(err, lock.ErrUnsupported):
		return nil, fail(fmt.Errorf("cannot be locked against a second training: %w; choose a folder on a local disk", err))
	case err != nil:
		return nil, fail(fmt.Errorf("%w; want a folder that can be written to", err))
	}
	f := &folder{dir, holds, keep, unlock, notice}
	if err := f.claim(); err != nil {
		f.close()
		return nil, fail(fmt.Errorf("%w; want a folder that can be written to, with room for three checkpoints", err))
	}
	return f, nil
}

// leastRoom is how many bytes are tried where the network is not known yet.
const leastRoom = 4 << 20

// claim does what a lock allows.
func (f *folder) claim() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if leftOver.MatchString(e.Name()) && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	try, err := os.CreateTemp(f.dir, "."+TrainingFile)
	if err != nil {
		return err
	}
	_, err = try.Write(make([]byte, max(f.holds.room(), leastRoom)))
	return errors.Join(err, try.Close(), os.Remove(try.Name()))
}

func (f *folder) close() { f.unlock() }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// checkpoints are the names of the checkpoints that a folder may keep, from the last one on.
func checkpoints(keep int) []string {
	names := []string{TrainingFile, PreviousFile}
	for i := 2; i < keep; i++ {
		names = append(names, strings.Replace(PreviousFile, "previous", fmt.Sprint("previous-", i), 1))
	}
	return names[:max(1, keep)]
}

// load returns the newest whole checkpoint, or nil where there is none at all.
// If that is one before the newest, and fits, it takes the newest one's place, which is kept
// under another name. fits returns what keeps the training from going on from a checkpoint.
func (f *folder) load(fits func(*checkpoint) error) (*checkpoint, error) {
	newest, err := f.read(TrainingFile)
	if err == nil {
		return newest, fits(newest)
	}
	missing := errors.Is(err, fs.ErrNotExist)
	var before *checkpoint
	from, there := "", 0
	errs := err
	for _, name := range checkpoints(max(f.keep, 2))[1:] {
		c, err := f.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if there++; err == nil {
			before, from = c, name
			break
		}
		errs = fmt.Errorf("%w; and of a checkpoint before: %w", errs, err)
	}
	switch {
	case missing && there == 0:
		return nil, nil
	case there == 0:
		return nil, fmt.Errorf("train: resume: %w; there is no checkpoint before it; put a good copy in its place, or choose another folder to begin anew", err)
	case before == nil || errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("train: resume: %w; put a good copy in its place, or choose another folder to begin anew", errs)
	}
	if err := fits(before); err != nil {
		return nil, err
	}
	kept := fmt.Sprintf("%s is missing", f.path(TrainingFile))
	if !missing {
		if kept, err = f.setAside(TrainingFile, err); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(f.path(from), f.path(TrainingFile)); err != nil {
		return nil, fmt.Errorf("train: resume: %w", err)
	}
	f.notice(fmt.Sprintf("%s; going on from the checkpoint before it, %s", kept, before.Position))
	return before, nil
}

// read returns the checkpoint in a file.
func (f *folder) read(name string) (*checkpoint, error) {
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		return nil, err
	}
	c, err := f.holds.decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path(name), err)
	}
	return c, nil
}

// mostAside is how many damaged files of a name are kept.
const mostAside = 9

// setAside renames a file, or what else has its name and is not what it should be, to
// NAME.damaged.EXT, or with a number where that is taken, and says so.
func (f *folder) setAside(name string, why error) (string, error) {
	ext := filepath.Ext(name)
	aside := f.path(strings.TrimSuffix(name, ext) + ".damaged")
	to := aside + ext
	for n := 2; n <= mostAside; n++ {
		if _, err := os.Lstat(to); err != nil { // it is free, or the renaming says why not
			break
		}
		to = fmt.Sprintf("%s-%d%s", aside, n, ext)
	}
	if err := os.RemoveAll(to); err != nil { // the last of them
		return "", fmt.Errorf("train: resume: %w", err)
	}
	if err := os.Rename(f.path(name), to); err != nil {
		return "", fmt.Errorf("train: resume: %w", err)
	}
	return fmt.Sprintf("%v; it is kept as %s", why, to), nil
}

// save writes a checkpoint; those before stay, as many as are kept. At every moment one of
// them is whole.
func (f *folder) save(c *checkpoint) error {
	data, err := c.encode()
	if err != nil {
		return err
	}
	file, err := atomicfile.Create(f.path(TrainingFile))
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	defer file.Cleanup() //nolint:errcheck // nothing to clean up after the rename
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	names := checkpoints(f.keep)
	for i := len(names) - 1; i > 0; i-- {
		if err := os.Rename(f.path(names[i-1]), f.path(names[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// publish makes the model and, after it, the log those of a checkpoint's last whole epoch;
// before the first there is the log alone, with the settings. It writes what is missing or
// another's. An older one of the same training, as a process leaves that ends between the
// two, and a log without epochs are overwritten without a word; anything else is kept under
// another name.
func (f *folder) publish(c *checkpoint) error {
	log, err := c.History.encode()
	if err != nil {
		return err
	}
	old, err := ReadHistory(f.dir)
	ours := err == nil && (len(old.Epochs) == 0 || c.History.sameRun(old) == nil)
	if len(c.History.Epochs) > 0 {
		if err := f.write(network.ModelFile, c.model, func(model []byte) bool { return ours && old.owns(model) == nil }); err != nil {
			return err
		}
		if err := f.publishBest(c, ours, old); err != nil {
			return err
		}
	}
	return f.write(LogFile, log, func([]byte) bool { return ours })
}

// publishBest makes BestFile that of a checkpoint. Only where the last epoch is the best one
// is its model in the checkpoint; else the file was written after an epoch before.
func (f *folder) publishBest(c *checkpoint, ours bool, old *History) error {
	if c.History.Epochs[len(c.History.Epochs)-1].Best {
		return f.write(BestFile, c.model, func(best []byte) bool { return ours && (old.BestData == hash(best) || old.BestData == "") })
	}
	data, err := os.ReadFile(f.path(BestFile))
	if err != nil || hash(data) != c.History.BestData {
		f.notice(fmt.Sprintf("%s is missing or not that of epoch %d, and cannot be made again before an epoch is better", f.path(BestFile), c.History.best().Epoch))
	}
	return nil
}

func (f *folder) write(name string, want []byte, ours func(old []byte) bool) error {
	old, err := os.ReadFile(f.path(name))
	switch {
	case err == nil && bytes.Equal(old, want):
		return nil
	case errors.Is(err, fs.ErrNotExist) || err == nil && ours(old):
	default:
		if err == nil {
			err = fmt.Errorf("%s: damaged, or not of this training", f.path(name))
		}
		kept, err := f.setAside(name, err)
		if err != nil {
			return err
		}
		f.notice(kept + ", and written again from the checkpoint")
	}
	if err := atomicfile.WriteFile(f.path(name), want); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// finished returns the log of a folder that has no checkpoint: of a run that has ended and
// whose TrainingFile was not kept. It sets the network's weights to those of its model. The
// log is nil where there is no model, and no log or one without epochs, and an error where
// there is anything else that a training would overwrite.
func (f *folder) finished(settings *History, epochs int, net *network.Network) (*History, error) {
	fail := func(format string, args ...any) (*History, error) {
		return nil, fmt.Errorf("train: %s has no %s to go on from, and %w; nothing was overwritten: choose another folder, or move what is in this one away to begin anew",
			f.dir, TrainingFile, fmt.Errorf(format, args...))
	}
	_, noLog := os.Lstat(f.path(LogFile))
	_, noModel := os.Lstat(f.path(network.ModelFile))
	switch {
	case noLog != nil && noModel != nil:
		return nil, nil
	case noLog != nil:
		return fail("a %s without a %s", network.ModelFile, LogFile)
	}
	log, err := ReadHistory(f.dir)
	switch {
	case noModel != nil && err == nil && len(log.Epochs) == 0: // it was stopped before its first checkpoint
		return nil, nil
	case noModel != nil:
		return fail("a %s without a %s", LogFile, network.ModelFile)
	}
	if err == nil {
		err = log.check(f.holds.architecture)
	}
	if err == nil {
		err = settings.sameRun(log)
	}
	if err != nil {
		return fail("its %s is not of a run with these settings: %w", LogFile, err)
	}
	data, err := os.ReadFile(f.path(network.ModelFile))
	if err == nil {
		err = log.owns(data)
	}
	if err != nil {
		return fail("its %s: %w", network.ModelFile, err)
	}
	if len(log.Epochs) < epochs {
		return fail("%d epochs done, want %d: without that file no more can be added", len(log.Epochs), epochs)
	}
	if err := net.Decode(data); err != nil {
		return fail("its %s: %w", network.ModelFile, err)
	}
	return log, nil
}
