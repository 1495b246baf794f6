package lock_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/camlab-go/camlab/internal/lock"
)

func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Dir(dir); !errors.Is(err, lock.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d on ", os.Getpid())) {
		t.Errorf("a second lock: %v, want ErrHeld and the process", err)
	}
	unlock()
	if again, err := lock.Dir(dir); err != nil {
		t.Errorf("after unlock: %v", err)
	} else {
		again()
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v; want nothing", left, err)
	}
	if _, err := lock.Dir(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestHolder is that asking who holds a lock neither takes it nor leaves a file.
func TestHolder(t *testing.T) {
	dir := t.TempDir()
	ask := func(when, want string) {
		t.Helper()
		for range 2 { // the first must not have taken it
			if got, err := lock.Holder(dir); err != nil || !strings.HasPrefix(got, want) || (got == "") != (want == "") {
				t.Errorf("%s: held by %q (%v), want %q", when, got, err, want)
			}
		}
	}
	ask("never locked", "")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("asking left %v (%v), want nothing", left, err)
	}
	unlock, err := lock.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("process %d on ", os.Getpid())
	if runtime.GOOS == "windows" {
		me = "another process"
	}
	ask("locked", me)
	unlock()
	ask("unlocked", "")
	if err := os.WriteFile(filepath.Join(dir, lock.File), []byte("process 1 on a machine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ask("left over by a killed process", "")
	if unlock, err = lock.Dir(dir); err != nil {
		t.Fatalf("after asking: %v", err)
	}
	unlock()
}

// TestConcurrentTurns has many goroutines take and leave the lock, and wants never two to hold it.
func TestConcurrentTurns(t *testing.T) {
	dir := t.TempDir()
	var inside, turns atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				unlock, err := lock.Dir(dir)
				if errors.Is(err, lock.ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				turns.Add(1)
				inside.Add(-1)
				unlock()
			}
		})
	}
	group.Wait()
	if turns.Load() < 8 {
		t.Errorf("%d turns, want some", turns.Load())
	}
}

// TestKilled wants the lock of a killed program to be free.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("LOCK_TEST_DIR"); dir != "" { // the program that is killed
		if _, err := lock.Dir(dir); err != nil {
			t.Fatal(err)
		}
		for range 3 { // closes files that nobody refers to any more
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		os.Stdout.WriteString("locked\n")
		time.Sleep(time.Hour) // a program whose goroutines all wait is ended by the runtime
	}
	dir := t.TempDir()
	c := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	c.Env = append(os.Environ(), "LOCK_TEST_DIR="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := lock.Dir(dir); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("another program's lock: %v, want ErrHeld", err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	unlock, err := lock.Dir(dir)
	if err != nil {
		t.Fatalf("after the program was killed: %v", err)
	}
	unlock()
}
