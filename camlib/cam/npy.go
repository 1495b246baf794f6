package cam

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/npy"
)

// WriteNPY writes the raw maps to a NumPy file: float32, [n, height, width], or [n, k,
// height, width] where the images have k maps each. The file appears whole or not at all.
// It fails for a result without maps and where the file cannot be written.
func (r *Result) WriteNPY(path string) error {
	if r == nil {
		return errors.New("cam: write: no result, want maps")
	}
	size := 1
	for _, d := range r.Shape() {
		size *= d
	}
	if len(r.Maps) != size || size == 0 {
		return fmt.Errorf("cam: write: %d values, want those of maps shaped %v", len(r.Maps), r.Shape())
	}
	file, err := binary.Append(npy.Header(r.Shape()), binary.LittleEndian, r.Maps)
	if err != nil {
		return fmt.Errorf("cam: write: %w", err)
	}
	if err := atomicfile.WriteFile(path, file); err != nil {
		var at *fs.PathError // of the file beside path that is written first
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("cam: write: %q: %w, want a file in a folder that exists", path, err)
	}
	return nil
}
