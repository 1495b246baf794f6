package images_test

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// array is a NumPy file of version 1.0.
func array(header string, values []byte) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(header)+1))
	return append(append(append(b, header...), '\n'), values...)
}

func floats(values ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return b
}

const float4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 3), }"

// TestReadNPY reads two images of 2×3 in one channel, and of 1×2 in three, whose values
// are 0 to 11 in the file's order.
func TestReadNPY(t *testing.T) {
	up := []float32{-5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1e30}
	path := write(t, "x.npy", array(float4, floats(up...)))
	for layout, want := range map[images.Layout]images.Size{images.NCHW: {Height: 2, Width: 3, Channels: 1}, images.NHWC: {Height: 1, Width: 2, Channels: 3}} {
		for _, ask := range []images.Size{{}, want, {Width: want.Width}} {
			b, err := images.ReadOptions{}.ReadNPY(path, layout, ask)
			if err != nil || b.N != 2 || b.Size() != want || !b.Raw || !slices.Equal(b.Pixels, up) {
				t.Errorf("%s: %+v, %v, want two of %v", layout, b, err, want)
			}
		}
	}
	planes := write(t, "planes.npy", array("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2), }", []byte{1, 2, 3, 255}))
	b, err := images.ReadOptions{}.ReadNPY(planes, images.NCHW, images.Size{})
	if want := []float32{1, 3, 2, 255}; err != nil || b.N != 1 || !slices.Equal(b.Pixels, want) {
		t.Errorf("two channels of one image: %v, %v, want %v", b.Pixels, err, want)
	}
}

func TestReadNPYErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		rule   string
		data   []byte
		layout images.Layout
		want   images.Size
		most   int
		kind   error
		err    string
	}{
		{"the size", array(float4, floats(make([]float32, 12)...)), images.NHWC, images.Size{Height: 4, Width: 2, Channels: 3}, 0, images.ErrShape,
			"an array shaped [2 1 2 3], want [n, 4, 2, 3] (NHWC), or one image without the n"},
		{"the layout", array(float4, floats(make([]float32, 12)...)), images.NCHW, images.Size{Channels: 3}, 0, images.ErrShape, "want [n, 3, any, any] (NCHW), or"},
		{"the axes", array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", floats(1, 2)), images.NCHW, images.Size{}, 0, images.ErrShape, "an array shaped [2 1], want [n, any, any, any]"},
		{"some images", array("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1, 2, 3), }", nil), images.NCHW, images.Size{}, 0, images.ErrShape, "an array shaped [0 1 2 3]"},
		{"finite", array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 1, 1), }", floats(1, nan)), images.NCHW, images.Size{}, 0, images.ErrRange, "image 1: value NaN, want a finite number"},
		{"the limit", array(float4, floats(make([]float32, 12)...)), images.NCHW, images.Size{}, 11, images.ErrTooLarge, "2 images of 3×2 pixels, want at most 11 pixels"},
		{"a limit", nil, images.NCHW, images.Size{}, -1, nil, "no NumPy file"},
		{"a layout", nil, images.Layout(2), images.Size{}, 0, nil, "Layout(2), want NHWC or NCHW"},
		{"a NumPy file", encoded(t, "png", lopsided(2, 2)), images.NCHW, images.Size{}, 0, nil, "no NumPy file, want one that numpy.save writes (.npy)"},
	} {
		path := write(t, "x.npy", test.data)
		_, err := images.ReadOptions{MaxPixels: test.most}.ReadNPY(path, test.layout, test.want)
		if err == nil || !strings.HasPrefix(err.Error(), "images: read: "+path+": ") || !strings.Contains(err.Error(), test.err) || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s: error %v, want %q of kind %v", test.rule, err, test.err, test.kind)
		}
	}
	if _, err := (images.ReadOptions{}).ReadNPY(filepath.Join(t.TempDir(), "none.npy"), images.NCHW, images.Size{}); err == nil || !strings.HasPrefix(err.Error(), "images: read: ") {
		t.Errorf("no file: %v", err)
	}
	if _, err := (images.ReadOptions{}).ReadNPY(t.TempDir(), images.NCHW, images.Size{}); err == nil || !strings.HasSuffix(err.Error(), "a folder, want a NumPy file") {
		t.Errorf("a folder: %v", err)
	}
}

// TestRaw is that raw values may be any finite numbers, and stay what they are when they
// are made gray.
func TestRaw(t *testing.T) {
	b := images.Batch{N: 1, Height: 1, Width: 2, Channels: 3, Pixels: []float32{-2, 5, 300, 2, 2, 2}, Raw: true}
	if err := b.Check(); err != nil {
		t.Errorf("finite values: %v", err)
	}
	gray := b.Gray()
	if math.Abs(float64(gray.Pixels[0])-36.537) > 1e-5 || gray.Pixels[1] != 2 || !gray.Raw {
		t.Errorf("gray: %v of %+v", gray.Pixels, gray)
	}
	if !b.Part(0, 1).Raw {
		t.Error("a part is not raw")
	}
	b.Pixels[4] = float32(math.Inf(1))
	if err := b.Check(); !errors.Is(err, images.ErrRange) || err.Error() != "images: image 0: value +Inf, want a finite number" {
		t.Errorf("an infinite value: %v", err)
	}
}
