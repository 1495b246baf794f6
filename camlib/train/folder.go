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

// The files of a checkpoint folder, beside [network.ModelFile]: what a training needs to
// go on, the same of the checkpoint before, and its log.
const (
	TrainingFile = "training.safetensors"
	PreviousFile = "training.previous.safetensors"
	LogFile      = "log.json"
)

// folder is a checkpoint folder that one training alone writes to.
type folder struct {
	dir    string
	holds  content
	unlock func()
	notice func(string)
}

// leftOver are the temporary files of a process that was killed while it wrote,
// as internal/atomicfile and os.CreateTemp name them.
var leftOver = regexp.MustCompile(`^\.(` + strings.Join([]string{
	regexp.QuoteMeta(TrainingFile), regexp.QuoteMeta(network.ModelFile), regexp.QuoteMeta(LogFile)}, "|") + `)[0-9]+$`)

// openFolder makes a folder if need be, locks it, clears it of left-over
// temporary files, and tries to write as much as a checkpoint takes.
func openFolder(dir string, holds content, notice func(string)) (*folder, error) {
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
	f := &folder{dir, holds, unlock, notice}
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

// load returns the newest whole checkpoint, or nil where there is none at all.
// If that is the one before, it takes the newest one's place, which is kept
// under another name.
func (f *folder) load() (*checkpoint, error) {
	newest, err := f.read(TrainingFile)
	if err == nil {
		return newest, nil
	}
	before, errBefore := f.read(PreviousFile)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && errors.Is(errBefore, fs.ErrNotExist):
		return nil, nil
	case errors.Is(errBefore, fs.ErrNotExist):
		return nil, fmt.Errorf("train: resume: %w; there is no checkpoint before it; put a good copy in its place, or choose another folder to begin anew", err)
	case errBefore != nil || errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("train: resume: %w; and of the checkpoint before: %w; put a good copy in its place, or choose another folder to begin anew", err, errBefore)
	}
	kept := ""
	if !missing {
		if kept, err = f.setAside(TrainingFile, err); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(f.path(PreviousFile), f.path(TrainingFile)); err != nil {
		return nil, fmt.Errorf("train: resume: %w", err)
	}
	if missing {
		kept = fmt.Sprintf("%s is missing", f.path(TrainingFile))
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

// setAside renames a file that is not what it should be, so that it is not
// overwritten, and says so.
func (f *folder) setAside(name string, why error) (string, error) {
	ext := filepath.Ext(name)
	to := f.path(strings.TrimSuffix(name, ext) + ".damaged" + ext)
	if err := os.Rename(f.path(name), to); err != nil {
		return "", fmt.Errorf("train: resume: %w", err)
	}
	return fmt.Sprintf("%v; it is kept as %s", why, to), nil
}

// save writes a checkpoint; the one before stays until the next. At every
// moment one of the two is whole.
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
	if err := os.Rename(f.path(TrainingFile), f.path(PreviousFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// publish makes the model and, after it, the log those of a checkpoint's last
// whole epoch. It writes what is missing or another's; an older one of the same
// training, as a process leaves that ends between the two, is overwritten
// without a word, anything else is kept under another name.
func (f *folder) publish(c *checkpoint) error {
	if len(c.History.Epochs) == 0 {
		return nil
	}
	log, err := c.History.encode()
	if err != nil {
		return err
	}
	old, err := ReadHistory(f.dir)
	ours := err == nil && c.History.sameRun(old) == nil
	if err := f.write(network.ModelFile, c.model, func(model []byte) bool { return ours && old.owns(model) == nil }); err != nil {
		return err
	}
	return f.write(LogFile, log, func([]byte) bool { return ours })
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
// log is nil where there is no model and no log either, and an error where there is
// anything else that a training would overwrite.
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
	case noModel != nil:
		return fail("a %s without a %s", LogFile, network.ModelFile)
	}
	log, err := ReadHistory(f.dir)
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
