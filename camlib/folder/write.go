package folder

import (
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/atomicfile"
)

// Write makes of a data set what [Open] reads: a folder with a folder of PNG files for each
// class that has images, CLASS/00000.png and so on by their places in the data set. Files of
// the same names are replaced, others stay.
//
// It fails for a class whose name is no folder's, and for images that are neither in color
// nor gray.
func Write(dir string, ds images.Dataset) error {
	if err := images.CheckDataset(ds); err != nil {
		return fmt.Errorf("folder: write: %w", err)
	}
	if c := ds.Size().Channels; c != 1 && c != 3 {
		return fmt.Errorf("folder: write: images of %d channels, want 1 or 3", c)
	}
	classes := ds.Classes()
	for i, name := range classes {
		if name != filepath.Base(name) || hidden(name) || strings.ContainsAny(name, `/\`) || slices.Contains(classes[:i], name) {
			return fmt.Errorf("folder: write: class %q, want the name of a folder, of each class its own", name)
		}
	}
	for i := range ds.Len() {
		picture := images.Image(ds, i)
		if err := images.Check(picture); err != nil {
			return fmt.Errorf("folder: write: image %d: %w", i, err)
		}
		path := filepath.Join(dir, classes[ds.Label(i)], fmt.Sprintf("%05d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("folder: write: %w", err)
		}
		if err := atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, picture) }); err != nil {
			return fmt.Errorf("folder: write: %w", err)
		}
	}
	return nil
}
