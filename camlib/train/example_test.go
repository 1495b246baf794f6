package train_test

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/train"
)

func ExampleParseAugmentation() {
	a, err := train.ParseAugmentation("flipcrop")
	fmt.Println(a, err)
	_, err = train.ParseAugmentation("cutmix")
	fmt.Println(err)
	// Output:
	// flipcrop <nil>
	// train: augmentation "cutmix", want article, flipcrop, cutout, mixup or none
}

func ExampleReadHistory() {
	h, err := train.ReadHistory("../article/weights") // the shipped network's folder
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Images, "images,", h.Config.Augment, "augmentation, batches of", h.Config.BatchSize, "seed", h.Config.Seed)
	// Output: 50000 images, article augmentation, batches of 125 seed 1
}
