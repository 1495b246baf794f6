package runs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// The files that [WriteFiles] writes into a run folder: those of [Run.EpochsCSV],
// [Run.Curves] and [Run.Confusion].
const (
	EpochsFile    = "epochs.csv"
	CurvesFile    = "curves.png"
	ConfusionFile = "confusion.png"
)

// WriteFiles writes into a run folder what people look at, as far as its log has come:
// [EpochsFile], [CurvesFile] and [ConfusionFile], each whole or as it was. It takes about
// a fifth of a second, and next to nothing where they are those of the log already. A
// training calls it after each epoch, alone in its folder; an error harms nothing but
// these files. It fails with [ErrNoEpochs] before the end of the first epoch.
func WriteFiles(dir string) error {
	r, err := Open(dir)
	if err != nil {
		return err
	}
	if len(r.Log.Epochs) == 0 {
		return fmt.Errorf("runs: %s: %w, want at least one", dir, ErrNoEpochs)
	}
	var csv bytes.Buffer
	if err := r.EpochsCSV(&csv); err != nil {
		return err
	}
	pictures := map[string]func() ([]byte, error){CurvesFile: r.Curves, ConfusionFile: r.Confusion}
	drawn := true
	for name := range pictures {
		_, err := os.Stat(filepath.Join(dir, name))
		drawn = drawn && err == nil
	}
	table := filepath.Join(dir, EpochsFile) // written last: it says what the pictures are of
	if old, err := os.ReadFile(table); err == nil && drawn && bytes.Equal(old, csv.Bytes()) {
		return nil
	}
	errs := []error{clearLeftOver(dir)}
	for name, draw := range pictures {
		path := filepath.Join(dir, name)
		png, err := draw()
		if err == nil {
			err = atomicfile.WriteFile(path, png)
		}
		if err != nil {
			errs = append(errs, err)
			_ = os.Remove(path) // no picture rather than that of an epoch before
		}
	}
	if err := errors.Join(append(errs, atomicfile.WriteFile(table, csv.Bytes()))...); err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	return nil
}

// leftOver are the temporary files of a process that was killed while it wrote, as
// internal/atomicfile names them.
var leftOver = regexp.MustCompile(`^\.(` + strings.Join([]string{
	regexp.QuoteMeta(EpochsFile), regexp.QuoteMeta(CurvesFile), regexp.QuoteMeta(ConfusionFile)}, "|") + `)[0-9]+$`)

func clearLeftOver(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if leftOver.MatchString(e.Name()) && e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
