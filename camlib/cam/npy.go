package cam

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

// WriteNPY writes the raw maps to a NumPy file: float32, [n, height, width], or [n, k,
// height, width] where the images have k maps each. The file appears whole or not at all.
// It fails for a result without maps and where the file cannot be written.
//
// The format is version 1.0 of NEP 1. It is written here and not by npyio, because that
// one needs gonum's linear algebra, which every cell of a notebook would link.
func (r *Result) WriteNPY(path string) error {
	if r == nil {
		return errors.New("cam: write: no result, want maps")
	}
	size, shape := 1, strings.Builder{}
	for _, d := range r.Shape() {
		size *= d
		fmt.Fprintf(&shape, "%d, ", d)
	}
	if len(r.Maps) != size || size == 0 {
		return fmt.Errorf("cam: write: %d values, want those of maps shaped %v", len(r.Maps), r.Shape())
	}
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", strings.TrimSuffix(shape.String(), " "))
	const before = len("\x93NUMPY\x01\x00") + 2
	head += strings.Repeat(" ", 63-(before+len(head))%64) + "\n" // the data begins at a multiple of 64
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	for _, part := range []any{uint16(len(head)), []byte(head), r.Maps} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return fmt.Errorf("cam: write: %w", err)
		}
	}
	if err := maybe.WriteFile(path, b.Bytes(), 0o644); err != nil {
		var at *fs.PathError // of the file beside path that is written first
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("cam: write: %q: %w, want a file in a folder that exists", path, err)
	}
	return nil
}

// String says what the maps are of, not their values.
func (r *Result) String() string {
	if r == nil {
		return "no maps"
	}
	text := fmt.Sprintf("%s of %s, maps shaped %v", r.Method, counted(r.N, "image"), r.Shape())
	if r.Class != nil && len(r.Class) <= 10 {
		text += fmt.Sprintf(", classes %v", r.Class)
	}
	return text
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
