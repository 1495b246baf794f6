package figure

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"strings"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// PNGBytes returns img as a PNG file. The alternative text of a [Picture] is in it, as
// its Description, and where its tiles lie, for [TilesOf].
func PNGBytes(img image.Image) ([]byte, error) {
	if err := checkImage("png", img); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, plain(img)); err != nil {
		return nil, fmt.Errorf("figure: png: %w", err)
	}
	if p, ok := img.(*Picture); ok {
		file := pngtext.Set(buf.Bytes(), tilesKeyword, writeTiles(p.Tiles))
		return pngtext.Set(file, pngtext.Description, p.Alt), nil
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

const tilesKeyword = "Tiles"

// writeTiles returns rectangles as [TilesOf] reads them, such as "8,20,200,212".
func writeTiles(tiles []image.Rectangle) string {
	var all []string
	for _, r := range tiles {
		all = append(all, fmt.Sprintf("%d,%d,%d,%d", r.Min.X, r.Min.Y, r.Max.X, r.Max.Y))
	}
	return strings.Join(all, " ")
}

// TilesOf returns where the tiles lie in a picture that [PNGBytes] made: [Picture].Tiles.
// It is nil for any other file.
func TilesOf(png []byte) (tiles []image.Rectangle) {
	for _, text := range strings.Fields(pngtext.Get(png, tilesKeyword)) {
		var r image.Rectangle
		if _, err := fmt.Sscanf(text, "%d,%d,%d,%d", &r.Min.X, &r.Min.Y, &r.Max.X, &r.Max.Y); err != nil {
			return nil
		}
		tiles = append(tiles, r)
	}
	return tiles
}
