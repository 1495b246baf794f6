package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
)

// subjects are the images to explain. Their pixels are read when their turn comes.
type subjects struct {
	infos    []explained
	files    []string // the images' parts of file names
	labels   []int    // nil for pictures from disk
	identity string   // of the images and what is in them
	read     func(i int) (image.Image, error)
}

// part is one of n parts of a list, 0 ≤ i < n.
type part struct{ i, n int }

// parsePart reads --shard; without it all is one part.
func parsePart(text string) (part, error) {
	if text == "" {
		return part{0, 1}, nil
	}
	first, second, _ := strings.Cut(text, "/")
	i, errI := strconv.Atoi(first)
	n, errN := strconv.Atoi(second)
	if errI != nil || errN != nil || i < 0 || i >= n {
		return part{}, fmt.Errorf("explain: --shard %q, want part i of n as in 3/8, i from 0 to n-1", text)
	}
	return part{i, n}, nil
}

// cut returns the part of a list. No part may be empty: all of them fail alike,
// rather than one in a cluster.
func cut[T any](list []T, p part) ([]T, error) {
	if p.n > len(list) {
		return nil, fmt.Errorf("explain: --shard %d/%d, want at most as many parts as images, %d", p.i, p.n, len(list))
	}
	return list[p.i*len(list)/p.n : (p.i+1)*len(list)/p.n], nil
}

// subjects reads a part of the images that the flags or the arguments name.
func (o *explainFlags) subjects(ctx context.Context, side int, files []string, p part) (*subjects, error) {
	if len(files) > 0 {
		if len(o.index) > 0 {
			return nil, errors.New("explain: --index and image files, want one of them")
		}
		return o.pictures(side, files, p)
	}
	if len(o.index) == 0 {
		return nil, errors.New("explain: no images, want --index 3,7,11 or image files")
	}
	ds, err := openSplit(ctx, o.split, o.data)
	if err != nil {
		return nil, err
	}
	positions, err := o.positions(ds)
	if err != nil {
		return nil, err
	}
	if positions, err = cut(positions, p); err != nil {
		return nil, err
	}
	if ds, err = ds.Select(positions...); err != nil {
		return nil, err
	}
	s := &subjects{labels: images.Labels(ds), read: func(i int) (image.Image, error) { return ds.Image(i), nil }}
	sum := sha256.New()
	sum.Write(ds.Labels)
	sum.Write(ds.Pixels)
	fmt.Fprint(sum, ds.Index)
	s.identity = fmt.Sprintf("%x", sum.Sum(nil))
	for i, index := range ds.Index {
		s.infos = append(s.infos, explained{Name: strconv.Itoa(index), Label: ds.Classes()[ds.Label(i)]})
		s.files = append(s.files, strconv.Itoa(index))
	}
	return s, nil
}

// positions are the places in a data set of the images that --index names.
func (o *explainFlags) positions(ds *cifar10.Dataset) (positions []int, err error) {
	if slices.Equal(o.index, []string{"all"}) {
		for p := range ds.Len() {
			positions = append(positions, p)
		}
		return positions, nil
	}
	for _, text := range o.index {
		i, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("explain: --index has %q, want numbers as in 3,7,11, or all", text)
		}
		p := slices.Index(ds.Index, i)
		if p < 0 {
			return nil, fmt.Errorf("explain: %s has no image %d, want one of its %d", o.split, i, ds.Len())
		}
		if slices.Contains(positions, p) {
			return nil, fmt.Errorf("explain: --index has %d twice, want every image once", i)
		}
		positions = append(positions, p)
	}
	return positions, nil
}

// pictures are a part of the pictures from disk. What is no picture is found by its
// first bytes, before anything is computed. They are made squares of a side.
func (o *explainFlags) pictures(side int, paths []string, p part) (*subjects, error) {
	var files []string
	for _, path := range paths {
		in, err := picturesIn(path)
		if err != nil {
			return nil, err
		}
		files = append(files, in...)
	}
	seen := make(map[string]string) // in all parts, so that their pictures can be put together
	var names []string
	for _, file := range files {
		name := photoName(file)
		if other, ok := seen[name]; ok {
			return nil, fmt.Errorf("explain: %s and %s would both be written as %s, want different names", other, file, name)
		}
		seen[name] = file
		names = append(names, name)
	}
	names = fileNames(names, maxImageName, " ")
	files, err := cut(files, p)
	if err != nil {
		return nil, err
	}
	if names, err = cut(names, p); err != nil {
		return nil, err
	}
	s := &subjects{files: names, read: func(i int) (image.Image, error) { return o.photos.read(files[i], side) }}
	sum := sha256.New()
	var bad []string
	for _, file := range files {
		if err := o.photos.check(file); err != nil {
			bad = append(bad, err.Error())
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		fmt.Fprintf(sum, "%q %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		s.infos = append(s.infos, explained{Name: valid(photoName(file)), File: valid(file)})
	}
	switch len(bad) {
	case 0:
	case 1:
		return nil, errors.New(bad[0])
	default:
		return nil, fmt.Errorf("explain: %d of %d files cannot be used, want them elsewhere:\n%s", len(bad), len(files), strings.Join(bad[:min(len(bad), 10)], "\n"))
	}
	s.identity = fmt.Sprintf("%x", sum.Sum(nil))
	return s, nil
}

func photoName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// picturesIn returns the pictures of a folder, in the order of their names, or
// the path itself if it is none.
func picturesIn(path string) (files []string, err error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // reading it says what is wrong
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	for _, e := range entries {
		// A name with a dot is hidden; macOS leaves such files beside pictures.
		if images.IsPicture(e.Name()) && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("explain: no .png, .jpg, .gif, .webp, .bmp or .tiff in %s", path)
	}
	return files, nil
}
