package images_test

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/images"
)

func ExampleNewMap() {
	_, err := images.NewMap(2, 3, []float32{1, 2, 3, 4, 5})
	fmt.Println(err)
	// Output: images: map: 5 values, want 2×3 = 6
}

func ExampleNewMaps() {
	// The flat data of two maps, each of one row and three columns.
	maps, err := images.NewMaps(2, 1, 3, []float32{0, 1, 2, 3, 4, 5})
	fmt.Println(maps, err)
	// Output: [{1 3 [0 1 2]} {1 3 [3 4 5]}] <nil>
}

func ExampleMap_Resize() {
	// From 2 to 4 columns, corners aligned: the ends stay, thirds lie between.
	m, _ := images.NewMap(1, 2, []float32{0, 3})
	wide, _ := m.Resize(1, 4, images.AlignCorners)
	fmt.Println(wide.Values)
	// Output: [0 1 2 3]
}

// A data set of two gray images of 1×2 pixels, and the second of them as a batch.
func ExampleNewMemory() {
	ds, err := images.NewMemory(images.Size{Height: 1, Width: 2, Channels: 1}, []string{"dark", "bright"}, []uint8{0, 51, 255, 204}, []int{0, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := images.FromDataset(ds, 1, 2)
	fmt.Println(batch, batch.Pixels, ds.Classes()[ds.Label(1)], err)
	// Output: 1 image of 1×2×1 [1 0.8] bright <nil>
}
