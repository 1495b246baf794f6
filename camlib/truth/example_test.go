package truth_test

import (
	"context"
	"fmt"
	"image"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backend"
)

// hand is one map of 2×3, and where it should look: the right column.
func hand() (*cam.Result, truth.Truth) {
	r := &cam.Result{N: 1, NumClasses: 1, Class: []int{0}, Height: 2, Width: 3, Maps: []float32{
		-2, 1, 4,
		0, 1, 2,
	}}
	t, err := truth.Boxes(2, 3, image.Rect(2, 0, 3, 2))
	if err != nil {
		panic(err)
	}
	return r, t
}

func ExampleNew() {
	_, err := truth.New(1, 1, 3, []bool{false, false, false})
	fmt.Println(err)
	// Output: truth: mask 0 is empty, want at least one true place
}

func ExampleBoxes() {
	t, err := truth.Boxes(2, 3, image.Rect(2, 0, 3, 2))
	fmt.Println(t.Masks, err)
	// Output: [false false true false false true] <nil>
}

func ExamplePointing() {
	r, t := hand()
	hits, err := truth.Pointing(r, t, 0)
	fmt.Println(hits, err)
	// Output: [1] <nil>
}

func ExampleEnergy() {
	shares, err := truth.Energy(hand()) // (4 + 2) / (1 + 4 + 1 + 2)
	fmt.Println(shares, err)
	// Output: [0.75] <nil>
}

func ExampleSilent() {
	r, _ := hand()
	fmt.Println(truth.Silent(r))
	// Output: 0
}

func ExampleMaxBoxAcc() {
	r, t := hand()
	hits, err := truth.MaxBoxAcc(r, t, truth.BoxOptions{Thresholds: []float64{0, 0.25, 0.5}})
	if err != nil {
		panic(err)
	}
	// Above 0 are two columns, above ¼ one, above ½ its upper place.
	fmt.Println(hits.IoU, hits.Accuracy(nil))
	// Output: [0.5 1 0.5] 1
}

func ExamplePick() {
	all := &cam.Result{N: 1, NumClasses: 2, K: 2, Height: 1, Width: 1, Maps: []float32{3, 4}, Scores: []float32{3, 4}, Predicted: []int{1}}
	r, err := truth.Pick(all, []int{0, 0}, []int{1, 0})
	fmt.Println(r.Maps, r.Class, err)
	// Output: [4 3] [1 0] <nil>
}

func ExampleNewMosaics() {
	m, err := truth.NewMosaics(cifar10.Sample(), 100, 1, truth.MosaicOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Len(), "mosaics of", m.Images.Height, "×", m.Images.Width, "pixels with", len(m.Labels), "cells")
	// Output: 100 mosaics of 64 × 64 pixels with 400 cells
}

func ExampleGridPointing() {
	m, err := truth.NewMosaics(cifar10.Sample(), 1, 1, truth.MosaicOptions{})
	if err != nil {
		panic(err)
	}
	// A map that is the same for all classes: all of it in the first cell.
	r := &cam.Result{N: 1, NumClasses: 10, K: 10, Height: 64, Width: 64, Maps: make([]float32, 10*64*64), Scores: make([]float32, 10), Predicted: []int{0}}
	for c := range 10 {
		r.Maps[c*64*64] = 1
	}
	cells, err := truth.GridPointing(r, m)
	fmt.Println(cells, truth.PerMosaic(cells), err)
	// Output: [1 0 0 0] [0.25] <nil>
}

// The pattern on gray images speaks for class 1 of a network of two classes.
func ExampleWithTrigger() {
	trigger := truth.Trigger{Class: 1, Strength: 1}
	net, err := truth.WithTrigger(newPlain(), trigger)
	if err != nil {
		panic(err)
	}
	plain := gray(1, 12, 12)
	stamped, squares, err := truth.Stamp(plain, 1)
	if err != nil {
		panic(err)
	}
	explainer, err := cam.New(goBackend(), net, cam.Options{})
	if err != nil {
		panic(err)
	}
	for _, x := range []images.Batch{plain, stamped} {
		r, err := explainer.Explain(context.Background(), cam.HiResCAM{}, x, cam.Class(1))
		if err != nil {
			panic(err)
		}
		hits, err := truth.Pointing(r, squares, 1) // gray alone gives a flat map: (36 + 24)/144 are that near
		fmt.Printf("score %.2f, points there: %.2f, %v\n", r.Scores[1], hits[0], err)
	}
	fmt.Println("gain", trigger.Gain(12, 12))
	// Output:
	// score 0.75, points there: 0.42, <nil>
	// score 25.75, points there: 1.00, <nil>
	// gain 25
}

// Half of the grid is hidden from a network of two classes: HiResCAM shows nothing there,
// Grad-CAM half of its map.
func ExampleBlind() {
	region, err := truth.Boxes(2, 2, image.Rect(0, 1, 2, 2))
	if err != nil {
		panic(err)
	}
	net, err := truth.Blind(newPlain(), region)
	if err != nil {
		panic(err)
	}
	explainer, err := cam.New(goBackend(), net, cam.Options{})
	if err != nil {
		panic(err)
	}
	for _, method := range []cam.Method{cam.HiResCAM{}, cam.GradCAM{}} {
		r, err := explainer.Explain(context.Background(), method, gray(1, 4, 4), cam.Class(0))
		if err != nil {
			panic(err)
		}
		share, err := truth.BlindShare(r, region)
		fmt.Println(r.Method, share, err)
	}
	// Output:
	// hirescam [0] <nil>
	// gradcam [0.5] <nil>
}

func goBackend() compute.Backend {
	b, err := backend.Go()
	if err != nil {
		panic(err)
	}
	return b
}
