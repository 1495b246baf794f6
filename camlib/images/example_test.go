package images_test

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/images"
)

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
