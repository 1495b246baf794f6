package cam_test

import (
	"context"
	"fmt"
	"log"
	"math"

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

func ExampleEigenCAM_Equation() {
	// The second channel is the larger one: mostly that.
	m := MustExecOnce(pureGoBackend(), cam.EigenCAM{}.Equation, exampleAct)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[0.331 1.606 2.831]]]
}

func ExampleEigenGradCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), cam.EigenGradCAM{}.Equation, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[2.910 4.123 0.728]]]
}

func ExampleSmoothGradCAMPlusPlus_Equation() {
	// Two copies whose gradients are the image's own: Grad-CAM++.
	m := MustExecOnce(pureGoBackend(), func(act, grad *Node) *Node {
		return cam.SmoothGradCAMPlusPlus{}.Equation(act, Stack([]*Node{grad, grad}, 1))
	}, exampleAct, exampleGrad)
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[0.723 1.445 0.000]]]
}

func ExampleShapleyCAM_Equation() {
	// A score that bends down: half of the gradient's change is taken off.
	m := MustExecOnce(pureGoBackend(), func(act, grad *Node) *Node {
		return cam.ShapleyCAM{}.Equation(act, grad, MulScalar(OnesLike(act), 2))
	}, exampleAct, exampleGrad)
	fmt.Println(m.Value())
	// Output: [[[1 0 0]]]
}

func ExampleFusedLayerCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), func(early, late *Node) *Node {
		return cam.FusedLayerCAM{}.Equation(early, late)
	}, [][][]float32{{{0, 1, 0, 4}}}, [][][]float32{{{6, 0}}})
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[1.000 0.750 0.250 0.964]]]
}

func ExampleRefineCAM_Equation() {
	m := MustExecOnce(pureGoBackend(), func(early, late *Node) *Node {
		return cam.RefineCAM{}.Equation(early, late)
	}, [][][]float32{{{0, 1, 0, 4}}}, [][][]float32{{{0, 6}}})
	fmt.Printf("%.3f\n", m.Value())
	// Output: [[[0.000 0.062 0.000 1.000]]]
}

func ExampleWeightedSum() {
	m := MustExecOnce(pureGoBackend(), cam.WeightedSum, exampleAct, [][]float32{{2, -1}})
	fmt.Println(m.Value())
	// Output: [[[2 3 -3]]]
}

func ExamplePositive() {
	m := MustExecOnce(pureGoBackend(), cam.Positive, []float32{-2, 3, float32(math.Inf(-1))})
	fmt.Println(m.Value())
	// Output: [0 3 -Inf]
}

func ExampleZeroToOne() {
	m := MustExecOnce(pureGoBackend(), cam.ZeroToOne, [][][]float32{{{-1, 0, 3}}, {{5, 5, 5}}})
	fmt.Println(m.Value())
	// Output: [[[0 0.25 1]] [[0 0 0]]]
}

func ExampleOfEach() {
	// Two copies of each of two images, of two values: the sum of each copy.
	m := MustExecOnce(pureGoBackend(), func(x *Node) *Node {
		return cam.OfEach(x, func(x *Node) *Node { return ReduceSum(x, 1) })
	}, [][][]float32{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}})
	fmt.Println(m.Value())
	// Output: [[3 7] [11 15]]
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
	m, err := cam.Lookup("Grad-CAM++")
	fmt.Println(m.Spec().Name, m == (cam.GradCAMPlusPlus{}), err)
	// Output: gradcam++ true <nil>
}

// A method of one's own: the mean of the activations, whatever the class.
type meanActivation struct{}

func (meanActivation) Spec() cam.Spec {
	return cam.Spec{Name: "mean-activation", Unit: "activation", Map: func(p *cam.Pass) *Node {
		return ReduceMean(p.Act, -1)
	}}
}

func ExampleRegister() {
	if err := cam.Register(meanActivation{}); err != nil {
		log.Fatal(err)
	}
	defer cam.Unregister(meanActivation{}) // for the other tests; programs have no such function
	m, err := cam.Lookup("Mean Activation")
	fmt.Printf("%T %v\n", m, err)
	fmt.Println(cam.Register(meanActivation{}))
	// Output:
	// cam_test.meanActivation <nil>
	// cam: register: method "mean-activation": there is "mean-activation", want another name
}

func ExampleMethods() {
	for _, m := range cam.Methods()[:3] {
		s := m.Spec()
		fmt.Println(s.Name, s.Unit, s.Signed)
	}
	// Output:
	// cam score true
	// gradcam score false
	// gradcam++ activation false
}

func ExampleFileName() {
	fmt.Println(cam.FileName("Grad-CAM++"))
	// Output: gradcampp
}

func ExampleWithChannels() {
	for _, m := range []cam.Method{cam.ScoreCAM{}, cam.GradCAM{}} {
		fmt.Printf("%#v\n", cam.WithChannels(m, 32))
	}
	// Output:
	// cam.ScoreCAM{Channels:32}
	// cam.GradCAM{}
}

func ExampleWithSamples() {
	for _, m := range []cam.Method{cam.RISE{}, cam.IntegratedGradients{}, cam.Smoothed{Method: cam.SSCAM{}, Flips: true}} {
		fmt.Println(cam.WithSamples(m, 64).Spec().Setting)
	}
	// Output:
	// 64 masks
	// 64 steps
	// 64 noises, flips
}

// The targets, by the classes of the maps that they make.
func ExampleTarget() {
	e, err := cam.New(pureGoBackend(), article.New(1), cam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	x := images.NewBatch(2, images.Size{Height: 8, Width: 8, Channels: 3})
	for i := range x.Pixels {
		x.Pixels[i] = float32(i%5) / 4
	}
	for _, target := range []cam.Target{
		cam.Class(3), cam.Classes(3, 5), cam.ClassNamed("ship"), cam.ClassesNamed("ship", "truck"),
		cam.Contrast(3, 5), cam.Contrasts([]int{3, 4}, []int{5, 5}), cam.Class(3).Probability(),
	} {
		r, err := e.Explain(context.Background(), cam.GradCAM{}, x, target)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Shape(), r.Class, r.Rival)
	}
	for _, target := range []cam.Target{cam.All, cam.Top(2)} {
		r, err := e.Explain(context.Background(), cam.GradCAM{}, x, target)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Shape())
	}
	// Any function of the scores: how far the highest is above the mean.
	margin := cam.Func(func(scores *Node) *Node { return Sub(ReduceMax(scores, -1), ReduceMean(scores, -1)) })
	r, err := e.Explain(context.Background(), cam.GradCAM{}, x, margin)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Shape())
	// Output:
	// [2 4 4] [3 3] []
	// [2 4 4] [3 5] []
	// [2 4 4] [8 8] []
	// [2 4 4] [8 9] []
	// [2 4 4] [3 3] [5 5]
	// [2 4 4] [3 4] [5 5]
	// [2 4 4] [3 3] []
	// [2 10 4 4]
	// [2 2 4 4]
	// [2 4 4]
}

// A target in words, of a class and of a contrast.
func ExampleTarget_Words() {
	for _, target := range []cam.Target{
		cam.Predicted, cam.Class(6).Counterfactual(), cam.Class(6).Probability(), cam.Class(6).Centered(),
		cam.Class(6).Probability().Counterfactual(), cam.Class(6).Counterfactual().Counterfactual(),
		cam.Func(func(scores *Node) *Node { return ReduceMax(scores, -1) }),
	} {
		fmt.Println(target.Words("frog"))
	}
	fmt.Println(cam.Contrast(6, 4).Counterfactual().Words("frog not deer"))
	// Output:
	// frog
	// not frog
	// probability of frog
	// centered frog
	// not probability of frog
	// frog
	// function of the scores
	// not frog not deer
}
