package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/camlab-go/camlab/internal/lock"
)

func TestFoldersOfKilledKernelsAreRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	put := func(name string, locked bool, age time.Duration) {
		t.Helper()
		dir := filepath.Join(temp, name)
		err := os.MkdirAll(filepath.Join(dir, "module"), 0o700)
		if err == nil && locked {
			err = os.WriteFile(filepath.Join(dir, lock.File), nil, 0o600)
		}
		if err == nil {
			err = os.Chtimes(dir, time.Time{}, time.Now().Add(-age))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("camlab-kernel-killed", true, time.Hour)
	put("camlab-kernel-new", true, 0)
	put("camlab-kernel-nolocks", false, time.Hour)
	put("another", true, time.Hour)
	runs, remove, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	put(filepath.Base(runs), false, time.Hour)
	second, removeSecond, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"another", "camlab-kernel-new", "camlab-kernel-nolocks", filepath.Base(runs), filepath.Base(second)}
	slices.Sort(want)
	there := func() (list []string) {
		files, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			list = append(list, f.Name())
		}
		return list
	}
	if got := there(); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	remove()
	removeSecond()
	if got := there(); len(got) != 3 {
		t.Errorf("in the end there are %q", got)
	}
}
