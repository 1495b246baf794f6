package cifar10

import (
	"fmt"
	"image"
	"slices"

	"github.com/camlab-go/camlab/camlib/images"
)

// Shape of every image, and the number of classes.
const (
	Height     = 32
	Width      = 32
	Channels   = 3
	NumClasses = 10
)

const (
	planeSize  = Height * Width       // bytes of one color of one image
	imageSize  = planeSize * Channels // bytes of one image
	recordSize = 1 + imageSize        // label, then image
)

// Classes are the class names in the order of their labels, as in the
// release's batches.meta.txt.
var Classes = [NumClasses]string{
	"airplane", "automobile", "bird", "cat", "deer",
	"dog", "frog", "horse", "ship", "truck",
}

// Split is a part of the release.
type Split string

// The two splits: 50,000 and 10,000 images.
const (
	Train Split = "train"
	Test  Split = "test"
)

// Dataset holds images in memory, the pixels as stored in the release. It is an
// [images.Dataset].
type Dataset struct {
	Split  Split
	Pixels []byte  // [n, 32, 32, 3], red, green, blue, 0 to 255
	Labels []uint8 // [n], 0 to 9
	Index  []int   // [n], the position of each image in its split of the release
}

// newDataset returns the first n images of a split, all still black.
func newDataset(split Split, n int) *Dataset {
	d := &Dataset{
		Split:  split,
		Pixels: make([]byte, n*imageSize),
		Labels: make([]uint8, n),
		Index:  make([]int, n),
	}
	for i := range d.Index {
		d.Index[i] = i
	}
	return d
}

// String says how many images there are of each class, not their pixels.
func (d *Dataset) String() string {
	if d == nil {
		return "no images"
	}
	var counts [NumClasses]int
	for _, l := range d.Labels {
		counts[min(int(l), NumClasses-1)]++
	}
	text := fmt.Sprintf("%d images of the %s split", d.Len(), d.Split)
	if n := counts[0]; counts == [NumClasses]int{n, n, n, n, n, n, n, n, n, n} {
		return fmt.Sprintf("%s, %d of each class", text, n)
	}
	for c, n := range counts {
		if n > 0 {
			text += fmt.Sprintf(", %d %s", n, Classes[c])
		}
	}
	return text
}

// Len returns the number of images; that of no data set is 0.
func (d *Dataset) Len() int {
	if d == nil {
		return 0
	}
	return len(d.Labels)
}

// Size returns the size of every image, 32×32×3.
func (d *Dataset) Size() images.Size {
	return images.Size{Height: Height, Width: Width, Channels: Channels}
}

// Classes returns the names of the classes, in the order of their labels.
func (d *Dataset) Classes() []string { return slices.Clone(Classes[:]) }

// Label returns the class of image i, 0 to 9.
func (d *Dataset) Label(i int) int { return int(d.Labels[i]) }

// Read puts image i, [32, 32, 3], 0 to 255, into pixels. It fails when i is out of range.
func (d *Dataset) Read(i int, pixels []uint8) error {
	if err := d.check("read", i); err != nil {
		return err
	}
	copy(pixels, d.Pixels[i*imageSize:][:imageSize])
	return nil
}

// Image returns a copy of image i, 32×32 and opaque, an [image.NRGBA]. When i is out
// of range it returns an image without pixels; what is asked to explain or draw that
// fails with an error that says so.
func (d *Dataset) Image(i int) image.Image {
	if err := d.check("image", i); err != nil {
		return &images.Missing{Err: err}
	}
	return images.Image(d, i)
}

// check returns an error if there is no image at a position.
func (d *Dataset) check(what string, i int) error {
	if d.Len() == 0 {
		return fmt.Errorf("cifar10: %s: position %d, want none (the data set is empty)", what, i)
	}
	if i < 0 || i >= d.Len() {
		return fmt.Errorf("cifar10: %s: position %d, want 0 to %d", what, i, d.Len()-1)
	}
	return nil
}

// Select returns a copy of the images at the given positions of d, in that
// order; a position may repeat. It fails when a position is out of range.
func (d *Dataset) Select(positions ...int) (*Dataset, error) {
	for _, i := range positions {
		if err := d.check("select", i); err != nil {
			return nil, err
		}
	}
	s := newDataset("", len(positions))
	if d != nil {
		s.Split = d.Split
	}
	for k, i := range positions {
		copy(s.Pixels[k*imageSize:], d.Pixels[i*imageSize:][:imageSize])
		s.Labels[k] = d.Labels[i]
		s.Index[k] = d.Index[i]
	}
	return s, nil
}

// First returns the first n images of d, or all where it has fewer. They share d's memory.
func (d *Dataset) First(n int) *Dataset {
	n = max(0, min(n, d.Len()))
	if n == 0 {
		return &Dataset{}
	}
	return &Dataset{Split: d.Split, Pixels: d.Pixels[:n*imageSize], Labels: d.Labels[:n], Index: d.Index[:n]}
}
