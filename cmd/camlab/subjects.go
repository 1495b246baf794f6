package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
)

// subjects are the images to explain. Their pixels are read when their turn comes, and
// nothing is kept of an image but its names, for there may be very many.
type subjects struct {
	files    []string // the images' parts of file names
	labels   []int    // nil for pictures from disk, -1 for one without
	identity string   // of the images and what is in them
	describe func(i int) explained
	// fetch gets an image's bytes, one image after the other, and what it returns
	// decodes them, many at once.
	fetch func(i int) (decode func() (seen, error))
	// array has the images themselves, where they are no pictures; nil for pictures.
	array *images.Batch
}

func (s *subjects) len() int { return len(s.files) }

// subjects finds a part of the images that the flags or the arguments name.
func (o *explainFlags) subjects(ctx context.Context, m *model, args []string, stdin io.Reader, p part) (*subjects, error) {
	if o.null && !slices.Contains(args, "-") {
		return nil, errors.New("explain: --null without -, want - among the images: a list on standard input")
	}
	if o.input != "" {
		if len(args) > 0 || len(o.index) > 0 {
			return nil, errors.New("explain: --input and other images, want one of them")
		}
		return o.arrays(m, p)
	}
	if len(args) > 0 {
		if len(o.index) > 0 {
			return nil, errors.New("explain: --index and image files, want one of them")
		}
		return o.pictures(m, args, stdin, p)
	}
	if len(o.index) == 0 {
		return nil, errors.New("explain: no images, want --index 3,7,11 or image files")
	}
	ds, err := openSplit(ctx, o.split, o.data)
	if err != nil {
		return nil, err
	}
	if err := m.takes(ds, false); err != nil {
		return nil, fmt.Errorf("explain: --split: %w", err)
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
	sum := sha256.New()
	sum.Write(ds.Labels)
	sum.Write(ds.Pixels)
	fmt.Fprint(sum, ds.Index)
	s := &subjects{labels: images.Labels(ds), identity: fmt.Sprintf("%x", sum.Sum(nil))}
	s.describe = func(i int) explained {
		return explained{Name: strconv.Itoa(ds.Index[i]), Label: ds.Classes()[ds.Label(i)]}
	}
	s.fetch = func(i int) func() (seen, error) {
		return func() (seen, error) { return seen{image: ds.Image(i)}, nil }
	}
	for _, index := range ds.Index {
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
