package cam_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backend"
)

// One image, one row of three places, two channels; the first channel speaks
// for class 0, the second against it.
var (
	exampleAct     = [][][][]float32{{{{1, 0}, {2, 1}, {0, 3}}}}
	exampleWeights = [][]float32{{2, 0}, {-1, 1}} // [channels, classes]
)

// pureGoBackend is the backend of the examples.
func pureGoBackend() compute.Backend {
	b, err := backend.Go()
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func ExampleCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), cam.CAM{}.Equation, exampleAct, exampleWeights)
	fmt.Println(m.Value())
	// Output: [[[[2 3 -3]] [[0 1 3]]]]
}

func ExampleGradCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), cam.GradCAM{}.Equation, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[2 3 0]]]
}

func ExampleGradCAM_Signed() {
	m := MustExecOnce(pureGoBackend(), cam.GradCAM{}.Signed, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[2 3 -3]]]
}

// exampleGrad has a mean of 2 and -1 in the two channels.
var exampleGrad = [][][][]float32{{{{3, -1}, {2, -1}, {1, -1}}}}

func ExampleGradCAMPlusPlus_Equation() {
	// The first channel's weight is 3/(2+3·3) + 2/(2+2·3) + 1/(2+1·3).
	m := MustExecOnce(pureGoBackend(), cam.GradCAMPlusPlus{}.Equation, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[0.723 1.445 0.000]]]
}

func ExampleXGradCAM_Equation() {
	// The weights are (3·1+2·2)/3 and -(1+3)/4.
	m := MustExecOnce(pureGoBackend(), cam.XGradCAM{}.Equation, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[2.333 3.667 0.000]]]
}

func ExampleHiResCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), cam.HiResCAM{}.Equation, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[3 3 -3]]]
}

func ExampleLayerCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), cam.LayerCAM{}.Equation, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[3 4 0]]]
}

func ExampleScoreCAM_Equation() {
	// The image shown through the second channel has the higher score, by ln 3: its
	// weight is 3/4.
	m := MustExecOnce(pureGoBackend(), cam.ScoreCAM{}.Equation, exampleAct, [][]float32{{1, 1 + 1.0986123}})
	fmt.Printf("%.2f\n", m.Value())
	// Output: [[[0.25 1.25 2.25]]]
}

func ExampleAblationCAM_Equation() {
	// Of a score of 4, 1 is left without the first channel, and 5 without the second.
	m := MustExecOnce(pureGoBackend(), cam.AblationCAM{}.Equation, exampleAct, []float32{4}, [][]float32{{1, 5}})
	fmt.Println(m.Value())
	// Output: [[[0.75 1.25 0]]]
}

func ExampleUpsample() {
	for _, resize := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
		m := MustExecOnce(pureGoBackend(), func(m *Node) *Node {
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
	e, err := cam.New(pureGoBackend(), article.New(1), cam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	x, err := images.FromDataset(cifar10.Sample(), 0, 2)
	if err != nil {
		log.Fatal(err)
	}
	r, err := e.Explain(context.Background(), cam.CAM{}, x, cam.ClassNamed("frog"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Method, r.Class, r.Shape())
	for i, frog := range r.Class {
		mean := 0.0
		for _, v := range r.Map(i, frog).Values {
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
