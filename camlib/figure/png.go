package figure

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// PNGBytes returns img as a PNG file. The alternative text of a [Picture] is in it, as
// its Description.
func PNGBytes(img image.Image) ([]byte, error) {
	if err := checkImage("png", img); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, plain(img)); err != nil {
		return nil, fmt.Errorf("figure: png: %w", err)
	}
	if p, ok := img.(*Picture); ok {
		return pngtext.Describe(buf.Bytes(), p.Alt), nil
	}
	return buf.Bytes(), nil
}

// WritePNG writes img to a PNG file at path. The file appears whole or not at all:
// it is written beside path and renamed (on Windows, written in place).
func WritePNG(path string, img image.Image) error {
	b, err := PNGBytes(img)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, b); err != nil {
		var at *fs.PathError // of the file beside path that is written first
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("figure: png: %q: %w, want a file in a folder that exists", path, err)
	}
	return nil
}
