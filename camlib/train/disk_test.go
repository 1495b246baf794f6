//go:build unix

package train

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk lets no file grow beyond a size, as a full disk or a quota does: a
// training does not begin, and one that runs keeps the checkpoint and the model
// before, whole, and no torn file.
func TestFullDisk(t *testing.T) {
	const variable = "CAMLAB_TEST_FULL_DISK"
	if os.Getenv(variable) == "" { // in a process of its own: the limit is of all its files
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), variable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	limited := func(bytes uint64, f func()) {
		t.Helper()
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
				t.Fatal(err)
			}
		}()
		f()
	}
	config, ds, c := made(t)
	f, err := open(t, config.Dir), error(nil)
	for range 2 {
		if err := f.save(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.publish(c); err != nil {
		t.Fatal(err)
	}
	before := written(t, config.Dir)
	next := *c
	next.Position = position{Epoch: 2, Step: 1, LossSum: 1, Seconds: 1}
	next.model = append([]byte{0}, c.model...)
	for _, size := range []uint64{0, 1 << 10, 8 << 10, 20 << 10} {
		limited(size, func() { err = f.save(&next) })
		if !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "train: checkpoint: write ") || !maps.Equal(written(t, config.Dir), before) {
			t.Errorf("files of at most %d bytes: error %v, want that of the write and the folder as it was", size, err)
		}
	}
	limited(4<<10, func() { err = f.publish(&next) })
	if !errors.Is(err, syscall.EFBIG) || !maps.Equal(written(t, config.Dir), before) {
		t.Errorf("model: error %v, want that of the write and the folder as it was", err)
	}
	f.close()
	limited(1<<20, func() { err = config.Check() })
	if !errors.Is(err, syscall.EFBIG) || !strings.HasSuffix(err.Error(), "want a folder that can be written to, with room for three checkpoints") {
		t.Errorf("before the training: error %v", err)
	}
	if _, h, err := run(t, config, ds); err != nil || len(h.Epochs) != 2 {
		t.Errorf("with room again: error %v", err)
	}
}
