package kernels

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// PictureTag tags the one cell of a notebook whose first picture stands for it in the
// documentation.
const PictureTag = "docs-picture"

// pictureTypes are the MIME types that are written as files.
var pictureTypes = []struct{ mime, extension string }{{"image/png", ".png"}, {"image/jpeg", ".jpg"}, {"image/svg+xml", ".svg"}}

var inlineImage = regexp.MustCompile(`data:image/png;base64,([A-Za-z0-9+/=]+)`)

// picture is the contents of a picture's file.
type picture struct {
	data      []byte
	extension string
}

// writePictures writes every picture in the outputs, also those inside HTML,
// to <stem>_<code cell>_<number in it>.png (or .jpg, .svg), and that of the cell tagged
// PictureTag also to <stem>_docs-picture.png. It takes away those of an earlier run.
func writePictures(data []byte, stem, dir string) (paths []string, err error) {
	nb, err := parseNotebook(data)
	if err != nil {
		return nil, err
	}
	if err := removePictures(stem, dir); err != nil {
		return nil, err
	}
	write := func(name string, p picture) error {
		path := filepath.Join(dir, stem+"_"+name+p.extension)
		paths = append(paths, path)
		return os.WriteFile(path, p.data, 0o644)
	}
	tagged := 0
	for i, cell := range nb.codeCells() {
		pictures, err := cell.pictures()
		if err != nil {
			return nil, fmt.Errorf("code cell %d: %w", i+1, err)
		}
		for n, p := range pictures {
			if err := write(fmt.Sprintf("%02d_%d", i+1, n+1), p); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(cell.Metadata.Tags, PictureTag) {
			continue
		}
		switch {
		case len(pictures) == 0:
			return nil, fmt.Errorf("code cell %d is tagged %s but shows no picture, want one", i+1, PictureTag)
		case tagged > 0:
			return nil, fmt.Errorf("code cells %d and %d are tagged %s, want one", tagged, i+1, PictureTag)
		}
		tagged = i + 1
		if err := write(PictureTag, pictures[0]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// removePictures takes the pictures of an earlier run away.
func removePictures(stem, dir string) error {
	for _, t := range pictureTypes {
		for _, name := range []string{"[0-9][0-9]_*", PictureTag} {
			old, err := filepath.Glob(filepath.Join(dir, stem+"_"+name+t.extension))
			if err != nil {
				return err
			}
			for _, path := range old {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pictures returns the pictures in a cell's outputs.
func (c cell) pictures() (all []picture, err error) {
	for _, out := range c.Outputs {
		for _, t := range pictureTypes {
			text, ok := out.Data[t.mime]
			if !ok {
				continue
			}
			data := []byte(text)
			if t.extension != ".svg" {
				if data, err = decode64(string(text)); err != nil {
					return nil, fmt.Errorf("%s: %w", t.mime, err)
				}
			}
			all = append(all, picture{data, t.extension})
		}
		for _, match := range inlineImage.FindAllStringSubmatch(string(out.Data["text/html"]), -1) {
			data, err := decode64(match[1])
			if err != nil {
				return nil, fmt.Errorf("image in HTML: %w", err)
			}
			all = append(all, picture{data, ".png"})
		}
	}
	return all, nil
}

func decode64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}
