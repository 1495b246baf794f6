package runs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// List reads all run folders below a folder, and that itself if it is one, in the order of
// their paths. It looks into no run folder for others, follows no links and passes over
// hidden folders. It fails if root is no folder that can be read; a folder below it that
// cannot be read, with or without a run, is [Damaged].
func List(root string) ([]*Run, error) {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		if err == nil {
			err = fmt.Errorf("%s is a file", root)
		}
		return nil, fmt.Errorf("runs: %w, want a folder with trainings of `camlab train` in it", err)
	}
	var runs []*Run
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		dir := filepath.Join(root, filepath.FromSlash(path))
		switch {
		case err != nil && path == ".":
			return err
		case err != nil:
			runs = append(runs, &Run{Dir: dir, State: Damaged, Problems: []string{err.Error()}})
			return fs.SkipDir
		case !d.IsDir():
			return nil
		case path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		run, err := Open(dir)
		if err != nil { // no run; a folder that cannot be read comes again, with its error
			return nil
		}
		runs = append(runs, run)
		return fs.SkipDir
	})
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return runs, nil
}

// names returns a short name for each run: its folder's, or its path where two would
// have the same.
func names(runs []*Run) []string {
	names := make([]string, len(runs))
	count := make(map[string]int)
	for i, r := range runs {
		names[i] = r.Name()
		count[names[i]]++
	}
	for i, r := range runs {
		if count[names[i]] > 1 {
			names[i] = filepath.ToSlash(filepath.Clean(r.Dir))
		}
	}
	return names
}

// Name returns the name of a run's folder.
func (r *Run) Name() string {
	if abs, err := filepath.Abs(r.Dir); err == nil { // also of "." and ".."
		return filepath.Base(abs)
	}
	return filepath.Base(r.Dir)
}
