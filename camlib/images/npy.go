package images

import (
	"fmt"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/npy"
)

// Layout is the order of an array's axes.
type Layout int

// The layouts of images in arrays.
const (
	NHWC Layout = iota // [n, height, width, channels], that of a [Batch]
	NCHW               // [n, channels, height, width]
)

var layoutNames = []string{"NHWC", "NCHW"}

// String returns the name that [ParseLayout] reads.
func (l Layout) String() string { return nameOf(l, "Layout", layoutNames) }

// ParseLayout returns the layout of that name: NHWC or NCHW.
func ParseLayout(name string) (Layout, error) { return parse[Layout]("layout", layoutNames, name) }

// axes returns the places of height, width and channels after the first axis.
func (l Layout) axes() [3]int {
	if l == NCHW {
		return [3]int{1, 2, 0}
	}
	return [3]int{0, 1, 2}
}

// ReadNPY reads images from a NumPy file, as a batch that is Raw: the values are as in the
// file. The array is [n, …] in the layout, or one image without the first axis, of
// float32, float64, float16 or uint8 in C order. want is the size of each image, of which
// a 0 goes for any.
//
// It fails for another file and another shape, for more pixels than o.MaxPixels allows
// ([ErrTooLarge]), and for values that are infinite or NaN ([ErrRange]), before it takes
// memory for more than the file holds.
func (o ReadOptions) ReadNPY(path string, layout Layout, want Size) (Batch, error) {
	b, err := o.readNPY(path, layout, want)
	if err != nil {
		return Batch{}, inFile(path, err)
	}
	return b, nil
}

func (o ReadOptions) readNPY(path string, layout Layout, want Size) (Batch, error) {
	if layout < 0 || int(layout) >= len(layoutNames) {
		return Batch{}, fmt.Errorf("%s, want NHWC or NCHW", layout)
	}
	f, size, err := openFile(path, "a NumPy file")
	if err != nil {
		return Batch{}, err
	}
	defer f.Close()
	r, err := npy.NewReader(f, size)
	if err != nil {
		return Batch{}, err
	}
	b, err := shaped(r.Shape, layout, want)
	if err != nil {
		return Batch{}, err
	}
	most, err := o.most()
	if err != nil {
		return Batch{}, err
	}
	if pixels := b.N * b.Height * b.Width; pixels > most {
		return Batch{}, tooLarge("%d images of %d×%d pixels", b.N, b.Width, b.Height, most)
	}
	b.Pixels = make([]float32, b.N*b.Size().Values())
	if layout == NHWC {
		err = r.Read(b.Pixels)
	} else {
		err = readPlanes(r, b)
	}
	if err != nil {
		return Batch{}, err
	}
	return b, b.Check()
}

// readPlanes reads images of one channel after the other.
func readPlanes(r *npy.Reader, b Batch) error {
	plane := make([]float32, b.Height*b.Width)
	for image := range slices.Chunk(b.Pixels, b.Size().Values()) {
		for c := range b.Channels {
			if err := r.Read(plane); err != nil {
				return err
			}
			for p, v := range plane {
				image[p*b.Channels+c] = v
			}
		}
	}
	return nil
}

// shaped returns the batch, without its pixels, that an array's shape is.
func shaped(shape []int, layout Layout, want Size) (Batch, error) {
	whole, axes := shape, layout.axes()
	if len(shape) == 3 {
		whole = append([]int{1}, shape...)
	}
	place := [3]string{}
	fits := len(whole) == 4 && !slices.Contains(whole, 0)
	var got [3]int // height, width, channels
	for i, n := range []int{want.Height, want.Width, want.Channels} {
		place[axes[i]] = fmt.Sprint(n)
		if n == 0 {
			place[axes[i]] = "any"
		}
		if fits {
			got[i] = whole[1+axes[i]]
			fits = n == 0 || n == got[i]
		}
	}
	if !fits {
		return Batch{}, failure.New(ErrShape, "an array shaped %v, want [n, %s] (%s), or one image without the n", shape, strings.Join(place[:], ", "), layout)
	}
	return Batch{N: whole[0], Height: got[0], Width: got[1], Channels: got[2], Raw: true}, nil
}
