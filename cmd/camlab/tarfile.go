package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/camlab-go/camlab/camlib/images"
)

// tarFile is a tar of pictures, which is not unpacked, in the layout of WebDataset: what
// belongs to one image has one KEY and stands together, KEY.jpg and its class KEY.cls. A
// KEY ends at the first dot of its name.
type tarFile struct {
	path       string
	size, time int64

	stream *tarStream // of a compressed one, which can be read forwards only
}

// tarStream is a compressed tar, from its beginning on.
type tarStream struct {
	file *os.File
	gzip *gzip.Reader
	at   int64 // in the uncompressed tar
}

func (s *tarStream) Read(b []byte) (int, error) {
	n, err := s.gzip.Read(b)
	s.at += int64(n)
	return n, err
}

const maxLabel = 4096 // bytes

// isTar reports whether a file's name ends as that of a tar which is read does.
func isTar(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tar") || isZipped(name)
}

func isZipped(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// name is the file's name without its ending.
func (t *tarFile) name() string { return strings.TrimSuffix(photoName(t.path), ".tar") }

// list returns the pictures in the tar, in its order. Their classes are those of the
// network, where the files of their labels have the number or name of one.
func (t *tarFile) list(classes []string) (pictures []picture, err error) {
	file, err := os.Open(t.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r io.Reader = file // whose contents are skipped by seeking
	at := func() (int64, error) { return file.Seek(0, io.SeekCurrent) }
	if isZipped(t.path) {
		s := &tarStream{}
		if s.gzip, err = gzip.NewReader(file); err != nil {
			return nil, fmt.Errorf("%w, want a tar compressed by gzip", err)
		}
		r, at = s, func() (int64, error) { return s.at, nil }
	}
	labels := make(map[string]int)
	for members := tar.NewReader(r); ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("after %d pictures: %w, want a whole tar", len(pictures), err)
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "/")
		key, ending := splitKey(name)
		switch {
		case hidden(name) || h.Typeflag == tar.TypeDir:
		case ending == "cls" || ending == "txt" && labels[key] == 0:
			text, err := io.ReadAll(io.LimitReader(members, maxLabel))
			if err != nil {
				return nil, fmt.Errorf("%s: %w, want a whole tar", name, err)
			}
			labels[key] = 1 + classOf(strings.TrimSpace(string(text)), ending == "cls", classes)
		case images.IsPicture(name):
			if h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
				return nil, fmt.Errorf("%s: a link or a sparse file, want the picture itself: tar with --dereference --hard-dereference and without --sparse", name)
			}
			p := picture{name: strings.TrimSuffix(name, path.Ext(name)), file: name, tar: t, size: h.Size, cls: -1}
			if p.at, err = at(); err != nil {
				return nil, err
			}
			pictures = append(pictures, p)
		}
	}
	for i := range pictures {
		key, _ := splitKey(pictures[i].file)
		pictures[i].cls = labels[key] - 1
	}
	if len(pictures) == 0 {
		return nil, errors.New("no .png, .jpg, .gif, .webp, .bmp or .tiff in it")
	}
	return pictures, nil
}

// splitKey returns what precedes the first dot of a file's name, with its folders, and
// what follows.
func splitKey(name string) (key, ending string) {
	dir, base := path.Split(name)
	base, ending, _ = strings.Cut(base, ".")
	return dir + base, strings.ToLower(ending)
}

// classOf is the class that a label means: its name or, in a .cls, its number; -1 if none.
func classOf(label string, number bool, classes []string) int {
	if i, err := strconv.Atoi(label); number && err == nil && i >= 0 && i < len(classes) {
		return i
	}
	return slices.Index(classes, label)
}

// read returns the bytes of a picture. A compressed tar is read from its beginning when
// the picture stands before what was read last.
func (t *tarFile) read(p picture, most int64) ([]byte, error) {
	if p.size > most {
		return nil, fmt.Errorf("a picture of %d MB, want at most %d: --max-megapixels allows more", p.size/1_000_000, most/1_000_000)
	}
	data := make([]byte, p.size)
	if !isZipped(t.path) {
		file, err := os.Open(t.path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		_, err = file.ReadAt(data, p.at)
		return data, err
	}
	if t.stream != nil && t.stream.at > p.at {
		t.close()
	}
	if t.stream == nil {
		if err := t.open(); err != nil {
			return nil, err
		}
	}
	if _, err := io.CopyN(io.Discard, t.stream, p.at-t.stream.at); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(t.stream, data)
	return data, err
}

// open opens a compressed tar.
func (t *tarFile) open() error {
	file, err := os.Open(t.path)
	if err != nil {
		return err
	}
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	t.stream = &tarStream{file: file, gzip: zipped}
	return nil
}

func (t *tarFile) close() {
	if t.stream != nil {
		_ = t.stream.file.Close()
		t.stream = nil
	}
}
