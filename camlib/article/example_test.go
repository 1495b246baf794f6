package cnn_test

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
)

func ExamplePretrained() {
	m, err := cnn.Pretrained()
	if err != nil {
		fmt.Println(err)
		return
	}
	weights, biases, err := m.HeadWeights()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Store().NumParameters(), "parameters; head:", len(weights), "weights,", len(biases), "biases")
	// Output: 343594 parameters; head: 1280 weights, 10 biases
}

func ExampleScore() {
	// Three images, two classes; the last image is taken for the other class.
	scores := []float32{
		4, 0,
		0, 4,
		0, 4,
	}
	e, err := cnn.Score(scores, []uint8{0, 1, 0}, []string{"frog", "toad"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("accuracy %.3f, macro-F1 %.3f, confusion %v\n", e.Accuracy, e.MacroF1, e.Confusion)
	for _, c := range e.PerClass {
		fmt.Printf("%s: precision %.2f, recall %.2f\n", c.Class, c.Precision, c.Recall)
	}
	// Output:
	// accuracy 0.667, macro-F1 0.667, confusion [[1 1] [0 1]]
	// frog: precision 1.00, recall 0.50
	// toad: precision 0.50, recall 1.00
}

func ExampleDecode() {
	fresh := cnn.New(7)
	data, err := fresh.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := cnn.Decode(data)
	fmt.Println(m.Classes()[6], err)
	_, err = cnn.Decode(data[:1000])
	fmt.Println(err)
	// Output:
	// frog <nil>
	// not a safetensors file: metadata incomplete buffer
}

func ExampleParseAugmentation() {
	a, err := cnn.ParseAugmentation("flipcrop")
	fmt.Println(a, err)
	_, err = cnn.ParseAugmentation("cutmix")
	fmt.Println(err)
	// Output:
	// flipcrop <nil>
	// cnn: augmentation "cutmix", want article, flipcrop or none
}

func ExampleReadHistory() {
	h, err := cnn.ReadHistory("article") // the shipped model's folder
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Images, "images,", h.Augment, "augmentation, batches of", h.BatchSize, "seed", h.Seed, "classes", len(cifar10.Classes))
	// Output: 50000 images, article augmentation, batches of 125 seed 1 classes 10
}
