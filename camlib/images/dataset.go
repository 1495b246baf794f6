package images

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"image"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Size is the height, width and number of channels of an image.
type Size struct{ Height, Width, Channels int }

// Values is the number of values of an image.
func (s Size) Values() int { return s.Height * s.Width * s.Channels }

// String returns the size as height×width×channels.
func (s Size) String() string { return fmt.Sprintf("%d×%d×%d", s.Height, s.Width, s.Channels) }

// Dataset is labeled images of one size in 8 bits a channel. Its methods may be called by
// many goroutines at once. *cifar10.Dataset is one; [Memory] makes one of pixels.
type Dataset interface {
	// Len returns the number of images.
	Len() int
	// Size returns the size of every image.
	Size() Size
	// Classes returns the names of the classes, in the order of their labels.
	Classes() []string
	// Label returns the class of image i, from 0 to len(Classes())-1.
	Label(i int) int
	// Read puts image i, [height, width, channels], 0 to 255, into pixels.
	Read(i int, pixels []uint8) error
}

// Len returns the number of images of a data set, 0 for none.
func Len(ds Dataset) int {
	if v := reflect.ValueOf(ds); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return 0
	}
	return ds.Len()
}

// CheckDataset returns an error if a data set has no images, sizes or classes, or a label
// that is none of its classes.
func CheckDataset(ds Dataset) error {
	n := Len(ds)
	if n == 0 {
		return fail(ErrNone, "data set without images, want at least one")
	}
	if s := ds.Size(); s.Height < 1 || s.Width < 1 || s.Channels < 1 {
		return fail(ErrShape, "data set of images of %s, want at least 1×1×1", s)
	}
	classes := len(ds.Classes())
	for i := range n {
		if l := ds.Label(i); l < 0 || l >= classes {
			return fail(ErrRange, "data set: image %d: label %d, want 0 to %d", i, l, classes-1)
		}
	}
	return nil
}

// Labels returns the labels of all images.
func Labels(ds Dataset) []int {
	labels := make([]int, Len(ds))
	for i := range labels {
		labels[i] = ds.Label(i)
	}
	return labels
}

// Pixels returns the pixels of all images, [n, height, width, channels].
func Pixels(ds Dataset) ([]uint8, error) {
	size := ds.Size().Values()
	all := make([]uint8, Len(ds)*size)
	for i := range Len(ds) {
		if err := ds.Read(i, all[i*size:(i+1)*size]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Image returns image i of a data set as a picture, opaque. One channel is gray. When i is
// out of range, or the image cannot be read, it returns a [Missing].
func Image(ds Dataset, i int) image.Image {
	if i < 0 || i >= Len(ds) {
		return &Missing{Err: fmt.Errorf("images: image %d, want 0 to %d", i, Len(ds)-1)}
	}
	s := ds.Size()
	pixels := make([]uint8, s.Values())
	if err := ds.Read(i, pixels); err != nil {
		return &Missing{Err: err}
	}
	img := image.NewNRGBA(image.Rect(0, 0, s.Width, s.Height))
	for p := range s.Height * s.Width {
		for c := range 3 {
			img.Pix[4*p+c] = pixels[p*s.Channels+min(c, s.Channels-1)]
		}
		img.Pix[4*p+3] = 0xff
	}
	return img
}

// Hash returns the sha256 of a data set, in hex: of the pixels of all images and, after
// them, their labels as bytes.
func Hash(ds Dataset) (string, error) {
	h := sha256.New()
	pixels := make([]uint8, ds.Size().Values())
	for i := range Len(ds) {
		if err := ds.Read(i, pixels); err != nil {
			return "", err
		}
		h.Write(pixels)
	}
	return sum(h, Labels(ds)), nil
}

// HashPixels returns [Hash] of the data set with these [Pixels] and [Labels].
func HashPixels(pixels []uint8, labels []int) string {
	h := sha256.New()
	h.Write(pixels)
	return sum(h, labels)
}

// sum returns the hash of pixels and, after them, labels.
func sum(pixels hash.Hash, labels []int) string {
	for _, l := range labels {
		pixels.Write([]byte{byte(l)})
	}
	return hex.EncodeToString(pixels.Sum(nil))
}

// Subset returns the images of a data set at some positions, in that order. A position may
// repeat. It fails when one is out of range.
func Subset(ds Dataset, positions ...int) (Dataset, error) {
	for _, p := range positions {
		if p < 0 || p >= Len(ds) {
			return nil, fmt.Errorf("images: subset: position %d, want 0 to %d", p, Len(ds)-1)
		}
	}
	return &subset{ds, slices.Clone(positions)}, nil
}

type subset struct {
	Dataset
	positions []int
}

func (s *subset) Len() int        { return len(s.positions) }
func (s *subset) Label(i int) int { return s.Dataset.Label(s.positions[i]) }
func (s *subset) Read(i int, pixels []uint8) error {
	return s.Dataset.Read(s.positions[i], pixels)
}

// Memory is a [Dataset] that is held in memory.
type Memory struct {
	size    Size
	classes []string
	pixels  []uint8
	labels  []int
}

// NewMemory returns a data set of pixels, [n, height, width, channels], 0 to 255, and n
// labels. The slices are not copied. It fails with an error of this package when they do
// not fit.
func NewMemory(size Size, classes []string, pixels []uint8, labels []int) (*Memory, error) {
	m := &Memory{size, classes, pixels, labels}
	if len(pixels) != len(labels)*size.Values() {
		return nil, fail(ErrShape, "data set: %d values and %d labels, want %s values for each label", len(pixels), len(labels), size)
	}
	return m, CheckDataset(m)
}

// Len returns the number of images.
func (m *Memory) Len() int { return len(m.labels) }

// Size returns the size of every image.
func (m *Memory) Size() Size { return m.size }

// Classes returns the names of the classes, in the order of their labels.
func (m *Memory) Classes() []string { return slices.Clone(m.classes) }

// Label returns the class of image i.
func (m *Memory) Label(i int) int { return m.labels[i] }

// Read puts image i into pixels.
func (m *Memory) Read(i int, pixels []uint8) error {
	copy(pixels, m.pixels[i*m.size.Values():(i+1)*m.size.Values()])
	return nil
}

// ClassIndex returns the index of a class given by its name, in any case, or by its index.
// It fails for anything else. With no names any index goes.
func ClassIndex(class string, names []string) (int, error) {
	class = strings.TrimSpace(class)
	if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, class) }); i >= 0 {
		return i, nil
	}
	i, err := strconv.Atoi(class)
	if err == nil && i >= 0 && (len(names) == 0 || i < len(names)) {
		return i, nil
	}
	want := "a class's number, from 0"
	if len(names) > 0 {
		want = fmt.Sprintf("one of %s, or its number from 0 to %d", someNames(class, names), len(names)-1)
	}
	return 0, fmt.Errorf("class %q, want %s", class, want)
}

// someNames are the names of classes where these are few, else those like one, or the first.
func someNames(like string, names []string) string {
	const few = 20
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	var some []string
	for _, name := range names {
		if len(some) < few && strings.Contains(strings.ToLower(name), strings.ToLower(like)) {
			some = append(some, name)
		}
	}
	if like == "" || some == nil {
		some = names[:3]
	}
	return fmt.Sprintf("%d names such as %s", len(names), strings.Join(some, ", "))
}
