package cifar10

import (
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/images"
)

// TestFirstTestImage compares with the first pixels of the first test image,
// a cat, as numpy 2.4 reads them from test_batch.bin.
func TestFirstTestImage(t *testing.T) {
	d := Sample()
	if d.Index[0] != 0 || Classes[d.Labels[0]] != "cat" {
		t.Fatalf("image 0 is number %d, %s, want 0, cat", d.Index[0], Classes[d.Labels[0]])
	}
	img := d.Image(0)
	for _, test := range []struct {
		x, y int
		want color.NRGBA
	}{
		{0, 0, color.NRGBA{158, 112, 49, 255}},
		{1, 0, color.NRGBA{159, 111, 47, 255}},
		{0, 1, color.NRGBA{152, 112, 51, 255}},
		{31, 31, color.NRGBA{21, 67, 110, 255}},
	} {
		if got := img.At(test.x, test.y); got != test.want {
			t.Errorf("pixel (%d, %d) is %v, want %v", test.x, test.y, got, test.want)
		}
	}
}

func TestImageIsACopy(t *testing.T) {
	d := Sample()
	before := slices.Clone(d.Pixels)
	d.Image(3).(*image.NRGBA).Pix[0]++
	if !slices.Equal(before, d.Pixels) {
		t.Error("drawing on the picture changed the data set")
	}
}

// TestImageOutOfRange is that no index panics, and that the picture says what was
// wrong with it.
func TestImageOutOfRange(t *testing.T) {
	for _, test := range []struct {
		d    *Dataset
		i    int
		want string
	}{
		{Sample(), 5000, "cifar10: image: position 5000, want 0 to 999"},
		{Sample(), -1, "cifar10: image: position -1, want 0 to 999"},
		{new(Dataset), 0, "cifar10: image: position 0, want none (the data set is empty)"},
		{nil, 0, "cifar10: image: position 0, want none (the data set is empty)"},
	} {
		img := test.d.Image(test.i)
		if err := images.Check(img); err == nil || err.Error() != test.want || !img.Bounds().Empty() {
			t.Errorf("error %v, bounds %v, want %s and no pixels", err, img.Bounds(), test.want)
		}
	}
}

func TestSelect(t *testing.T) {
	_, _, d, _ := tiny(t)
	got, err := d.Select(4, 0, 4)
	if err != nil {
		t.Fatal(err)
	}
	want := &Dataset{
		Split: Train,
		Pixels: slices.Concat(
			d.Pixels[4*imageSize:5*imageSize], d.Pixels[:imageSize], d.Pixels[4*imageSize:5*imageSize]),
		Labels: []uint8{d.Labels[4], d.Labels[0], d.Labels[4]},
		Index:  []int{4, 0, 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	again, err := got.Select(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 4}; !slices.Equal(again.Index, want) {
		t.Errorf("index after two selections %v, want that of the release, %v", again.Index, want)
	}
	for _, i := range []int{-1, 15} {
		_, err := d.Select(0, i)
		want := map[int]string{
			-1: "cifar10: select: position -1, want 0 to 14",
			15: "cifar10: select: position 15, want 0 to 14",
		}[i]
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	_, err = new(Dataset).Select(0)
	if want := "cifar10: select: position 0, want none (the data set is empty)"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestIsADataset: what the other packages see is what the fields hold.
func TestIsADataset(t *testing.T) {
	d := Sample()
	var ds images.Dataset = d
	if err := images.CheckDataset(ds); err != nil {
		t.Fatal(err)
	}
	pixels, err := images.Pixels(ds)
	if err != nil || !slices.Equal(pixels, d.Pixels) || ds.Size() != (images.Size{Height: 32, Width: 32, Channels: 3}) {
		t.Errorf("pixels of %s, error %v, want those of the sample", ds.Size(), err)
	}
	for i, l := range d.Labels {
		if ds.Label(i) != int(l) {
			t.Errorf("image %d: label %d, want %d", i, ds.Label(i), l)
		}
	}
	names := ds.Classes()
	if !slices.Equal(names, Classes[:]) {
		t.Errorf("classes %v, want %v", names, Classes)
	}
	if names[0] = "x"; Classes[0] == "x" {
		t.Error("Classes gives the package's own array away")
	}
	if err := ds.Read(1000, make([]uint8, 3072)); err == nil || err.Error() != "cifar10: read: position 1000, want 0 to 999" {
		t.Errorf("error %v", err)
	}
	if got := images.Len((*Dataset)(nil)); got != 0 {
		t.Errorf("%d images of none", got)
	}
}

func TestFirst(t *testing.T) {
	d := Sample()
	for _, test := range []struct{ n, want int }{{-1, 0}, {0, 0}, {3, 3}, {1000, 1000}, {5000, 1000}} {
		got := d.First(test.n)
		if got.Len() != test.want || len(got.Pixels) != test.want*imageSize || len(got.Index) != test.want || !slices.Equal(got.Labels, d.Labels[:test.want]) {
			t.Errorf("first %d: %d images, want the first %d", test.n, got.Len(), test.want)
		}
		if test.want > 0 && (got.Split != Test || got.Index[test.want-1] != d.Index[test.want-1] || images.Image(got, 0) == nil) {
			t.Errorf("first %d: %s, want images of the test split", test.n, got)
		}
	}
	if got := (*Dataset)(nil).First(3).Len(); got != 0 {
		t.Errorf("first 3 of no data set: %d images", got)
	}
}
