package cam_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
)

// One image, one row of three places, two channels; the first channel speaks
// for class 0, the second against it.
var (
	exampleAct     = [][][][]float32{{{{1, 0}, {2, 1}, {0, 3}}}}
	exampleWeights = [][]float32{{2, 0}, {-1, 1}} // [channels, classes]
)

// pureGo is the backend of the examples.
func pureGo() compute.Backend {
	b, err := camlib.Backend(camlib.PureGo)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func ExampleCAM() {
	m := MustExecOnce(pureGo(), cam.CAM, exampleAct, exampleWeights)
	fmt.Println(m.Value())
	// Output: [[[[2 3 -3]] [[0 1 3]]]]
}

func ExampleGradCAM() {
	m := MustExecOnce(pureGo(), cam.GradCAM, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[2 3 0]]]
}

func ExampleSignedGradCAM() {
	m := MustExecOnce(pureGo(), cam.SignedGradCAM, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[2 3 -3]]]
}

// exampleGrad has a mean of 2 and -1 in the two channels.
var exampleGrad = [][][][]float32{{{{3, -1}, {2, -1}, {1, -1}}}}

func ExampleGradCAMPlusPlus() {
	// The first channel's weight is 3/(2+3·3) + 2/(2+2·3) + 1/(2+1·3).
	m := MustExecOnce(pureGo(), cam.GradCAMPlusPlus, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[0.723 1.445 0.000]]]
}

func ExampleXGradCAM() {
	// The weights are (3·1+2·2)/3 and -(1+3)/4.
	m := MustExecOnce(pureGo(), cam.XGradCAM, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[2.333 3.667 0.000]]]
}

func ExampleHiResCAM() {
	m := MustExecOnce(pureGo(), cam.HiResCAM, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[3 3 -3]]]
}

func ExampleLayerCAM() {
	m := MustExecOnce(pureGo(), cam.LayerCAM, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[3 4 0]]]
}

func ExampleScoreCAM() {
	// The image shown through the second channel has the higher score, by ln 3: its
	// weight is 3/4.
	m := MustExecOnce(pureGo(), cam.ScoreCAM, exampleAct, [][]float32{{1, 1 + 1.0986123}})
	fmt.Printf("%.2f\n", m.Value())
	// Output: [[[0.25 1.25 2.25]]]
}

func ExampleAblationCAM() {
	// Of a score of 4, 1 is left without the first channel, and 5 without the second.
	m := MustExecOnce(pureGo(), cam.AblationCAM, exampleAct, []float32{4}, [][]float32{{1, 5}})
	fmt.Println(m.Value())
	// Output: [[[0.75 1.25 0]]]
}

func ExampleUpsample() {
	for _, resize := range []cam.Resize{cam.AlignCorners, cam.HalfPixel, cam.Replicate} {
		m := MustExecOnce(pureGo(), func(m *Node) *Node {
			return cam.Upsample(m, 1, 4, resize)
		}, [][]float32{{0, 12}})
		fmt.Println(resize, m.Value())
	}
	// Output:
	// align-corners [[0 4 8 12]]
	// half-pixel [[0 3 9 12]]
	// replicate [[0 0 12 12]]
}

// The maps of the first two images of the sample. Their mean and the bias of
// the head, which is zero in a fresh network, make the score.
func ExampleExplainer_Explain() {
	backend, err := camlib.Backend(camlib.PureGo)
	if err != nil {
		log.Fatal(err)
	}
	e, err := cam.New(backend, cnn.New(1), cam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	method, err := cam.Lookup("cam")
	if err != nil {
		log.Fatal(err)
	}
	ds, err := cifar10.Sample().Select(0, 1)
	if err != nil {
		log.Fatal(err)
	}
	r, err := e.Explain(context.Background(), method, cam.FromDataset(ds), cam.ClassNamed("frog"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Method, r.Class, r.Shape())
	for i, frog := range r.Class {
		mean := 0.0
		for _, v := range r.Map(i, frog) {
			mean += float64(v) / 256
		}
		missing := float64(r.Scores[10*i+frog]) - mean
		fmt.Printf("the map's mean misses the score by less than 0.00001: %t\n", missing < 1e-5 && missing > -1e-5)
	}
	// Output:
	// cam [6 6] [2 16 16]
	// the map's mean misses the score by less than 0.00001: true
	// the map's mean misses the score by less than 0.00001: true
}

func ExampleLookup() {
	_, err := cam.Lookup("lime")
	fmt.Println(err)
	// Output: cam: method "lime", want one of cam, gradcam, gradcam++, scorecam, ablationcam, xgradcam, hirescam, layercam, layercam-fused, eigencam, eigengradcam, smoothgradcam++, sscam, iscam, fullgrad, shapleycam, finercam, refinecam, randomcam, occlusion, rise, integratedgradients, smoothgrad
}
