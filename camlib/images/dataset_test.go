package images_test

import (
	"errors"
	"fmt"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// memory returns three images of 2×1 pixels and two channels, of which the values are
// their places.
func memory(t *testing.T) *images.Memory {
	t.Helper()
	m, err := images.NewMemory(images.Size{Height: 2, Width: 1, Channels: 2}, []string{"ant", "Bee"},
		[]uint8{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 255}, []int{1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMemoryAndItsParts(t *testing.T) {
	m := memory(t)
	part, err := images.Subset(m, 2, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := images.Pixels(part)
	if err != nil || !slices.Equal(pixels, []uint8{20, 21, 22, 255, 0, 1, 2, 3, 20, 21, 22, 255}) {
		t.Errorf("pixels %v, error %v", pixels, err)
	}
	if got := images.Labels(part); !slices.Equal(got, []int{1, 1, 1}) || part.Size() != m.Size() || len(part.Classes()) != 2 {
		t.Errorf("labels %v of %v", got, part)
	}
	batch, err := images.FromDataset(m, 1, 3)
	if err != nil || batch.N != 2 || batch.Size() != m.Size() || batch.Pixels[0] != 10./255 || batch.Pixels[7] != 1 {
		t.Errorf("batch %v of %v, error %v", batch, batch.Pixels, err)
	}
	for _, at := range [][2]int{{-1, 1}, {0, 4}, {2, 1}} {
		if _, err := images.FromDataset(m, at[0], at[1]); !errors.Is(err, images.ErrNone) {
			t.Errorf("images %v: error %v", at, err)
		}
	}
	if _, err := images.Subset(m, 0, 3); err == nil || err.Error() != "images: subset: position 3, want 0 to 2" {
		t.Errorf("error %v", err)
	}
	same, err := images.Hash(m)
	other, err2 := images.Hash(part)
	if err != nil || err2 != nil || same == other || len(same) != 64 {
		t.Errorf("hashes %q and %q, errors %v, %v", same, other, err, err2)
	}
	if got := images.Image(m, 1).At(0, 1); got != (color.NRGBA{12, 13, 13, 255}) {
		t.Errorf("pixel %v, want the last channel again where there is no third", got)
	}
	if err := images.Check(images.Image(m, 3)); err == nil || err.Error() != "images: image 3, want 0 to 2" {
		t.Errorf("error %v", err)
	}
}

func TestDatasetErrors(t *testing.T) {
	size := images.Size{Height: 1, Width: 1, Channels: 1}
	for _, row := range []struct {
		pixels []uint8
		labels []int
		kind   error
		want   string
	}{
		{nil, nil, images.ErrNone, "images: data set without images, want at least one"},
		{[]uint8{1, 2, 3}, []int{0, 1}, images.ErrShape, "images: data set: 3 values and 2 labels, want 1×1×1 values for each label"},
		{[]uint8{1, 2}, []int{0, 2}, images.ErrRange, "images: data set: image 1: label 2, want 0 to 1"},
		{[]uint8{1, 2}, []int{-1, 1}, images.ErrRange, "images: data set: image 0: label -1, want 0 to 1"},
	} {
		_, err := images.NewMemory(size, []string{"a", "b"}, row.pixels, row.labels)
		if !errors.Is(err, row.kind) || err.Error() != row.want {
			t.Errorf("error %v, want %s", err, row.want)
		}
	}
	if err := images.CheckDataset((*images.Memory)(nil)); !errors.Is(err, images.ErrNone) || images.Len(nil) != 0 {
		t.Errorf("no data set: error %v, %d images", err, images.Len(nil))
	}
}

func ExampleClassIndex() {
	names := []string{"frog", "toad"}
	i, err := images.ClassIndex("Toad", names)
	fmt.Println(i, err)
	i, err = images.ClassIndex("0", names)
	fmt.Println(i, err)
	_, err = images.ClassIndex("newt", names)
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// 0 <nil>
	// class "newt", want one of frog, toad, or its number from 0 to 1
}

// TestManyClassesAreNotListed but those like the one that was asked for, or the first.
func TestManyClassesAreNotListed(t *testing.T) {
	names := []string{"tench", "goldfish", "great white shark", "tiger shark"}
	for i := range 996 {
		names = append(names, fmt.Sprint("class ", i))
	}
	for class, want := range map[string]string{
		"Shark":   `class "Shark", want one of 1000 names such as great white shark, tiger shark, or its number from 0 to 999`,
		"griffin": `class "griffin", want one of 1000 names such as tench, goldfish, great white shark, or its number from 0 to 999`,
	} {
		if _, err := images.ClassIndex(class, names); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestClassIndexRefuses(t *testing.T) {
	for _, class := range []string{"2", "-1", "", "toads"} {
		if i, err := images.ClassIndex(class, []string{"frog", "toad"}); err == nil || !strings.Contains(err.Error(), "frog, toad") {
			t.Errorf("%q: %d, error %v", class, i, err)
		}
	}
}
