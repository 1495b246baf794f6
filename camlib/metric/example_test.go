package metric_test

import (
	"context"
	"fmt"
	"log"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/backend"
)

// exampleCase is about a white image of four pixels. White pixels multiply the odds
// of the class by 2, 3, 4 and ½, so that it has odds of 12, and black ones by 1. The
// map puts the third pixel first, then the second, the first and the last.
func exampleCase(opts metric.Options) *metric.Case {
	goBackend, err := backend.Go()
	if err != nil {
		log.Fatal(err)
	}
	evaluator, err := metric.New(goBackend, odds().Network, opts)
	if err != nil {
		log.Fatal(err)
	}
	x := images.Batch{N: 1, Height: 2, Width: 2, Channels: 1, Pixels: []float32{1, 1, 1, 1}}
	batch, err := evaluator.Prepare(context.Background(), x, nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := batch.Case(exampleResult, metric.Uniform())
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// exampleResult is what an Explainer's Explain returns.
var exampleResult = &cam.Result{Method: "hand", N: 1, Class: []int{0}, Height: 2, Width: 2, Maps: []float32{0.5, 2, 4, 0}}

func show(values []float64, err error) {
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", values)
}

// All metrics of one method's maps, with an interval each.
func Example() {
	c := exampleCase(metric.Options{})
	for _, m := range metric.Metrics() {
		values, err := m.Compute(context.Background(), c)
		if err != nil {
			log.Fatal(err)
		}
		e, err := metric.Bootstrap(values, metric.Resampling{})
		if err != nil {
			log.Fatal(err)
		}
		if m.Name == "average-drop" || m.Name == "increase" {
			fmt.Printf("%s, %s is better: %v\n", m.Name, m.Better, e)
		}
	}
	// Output:
	// average-drop, lower is better: 0.04329 [0.04329, 0.04329]
	// increase, higher is better: 0 [0, 0]
}

func ExampleCase_AverageDrop() {
	c := exampleCase(metric.Options{})
	// The mask is 1/8, 1/2, 1, 0: odds of 4·√3·2^⅛, and P from 12/13 to 0.883.
	show(c.AverageDrop(context.Background()))
	// Output: [0.043]
}

func ExampleCase_Increase() {
	show(exampleCase(metric.Options{}).Increase(context.Background()))
	// Output: [0.000]
}

func ExampleCase_AverageGain() {
	show(exampleCase(metric.Options{}).AverageGain(context.Background()))
	// Output: [0.000]
}

func ExampleCase_Deletion() {
	curves, err := exampleCase(metric.Options{Steps: 4}).Deletion(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	show(curves.Scores[0], nil) // odds of 12, 3, 1, ½ and 1
	show(curves.AUC(), nil)
	// Output:
	// [0.923 0.750 0.500 0.333 0.500]
	// [0.574]
}

func ExampleCase_Insertion() {
	curves, err := exampleCase(metric.Options{Steps: 4, Insertion: metric.Black}).Insertion(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	show(curves.Scores[0], nil) // odds of 1, 4, 12, 24 and 12
	show(curves.AUC(), nil)
	// Output:
	// [0.500 0.800 0.923 0.960 0.923]
	// [0.849]
}

func ExampleCase_ROAD() {
	// In a white image the imputed pixels are white too: nothing is lost.
	c := exampleCase(metric.Options{ROAD: metric.ROADOptions{Percentages: []float64{25, 50}, Noise: -1}})
	r, err := c.ROAD(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	show(r.Most[0], nil)
	show(r.Least[0], nil)
	show(r.Combined(), nil)
	// Output:
	// [0.923 0.923]
	// [0.923 0.923]
	// [0.000]
}

func ExampleCase_Infidelity() {
	// One square is the whole image: the map foretells a change of 6.5, and the logit
	// loses ln 12 = 2.485.
	c := exampleCase(metric.Options{Score: metric.Logit, Infidelity: metric.InfidelityOptions{Side: 2, Unscaled: true}})
	show(c.Infidelity(context.Background()))
	// Output: [16.121]
}

func ExampleCase_SensitivityMax() {
	// The case's Explain gives maps of ones, whatever the image: the distance from the
	// map is √(½² + 1² + 3² + 1²), the map's length √(½² + 2² + 4²).
	show(exampleCase(metric.Options{}).SensitivityMax(context.Background()))
	// Output: [0.745]
}

func ExampleCase_Sparseness() {
	show(exampleCase(metric.Options{}).Sparseness(), nil) // 1 − 2(½·2.5 + 2·1.5 + 4·0.5)/(6.5·4)
	// Output: [0.519]
}

func ExampleCase_Complexity() {
	show(exampleCase(metric.Options{}).Complexity(), nil)
	// Output: [0.859]
}

func ExampleBootstrap() {
	fmt.Println(metric.Bootstrap([]float64{0.1, 0.2, 0.3, 0.4, 0.5}, metric.Resampling{}))
	// Output: 0.3 [0.18, 0.42] <nil>
}

func ExampleDifference() {
	a, b := []float64{0.3, 0.9, 0.4}, []float64{0.2, 0.8, 0.3}
	fmt.Println(metric.Difference(a, b, metric.Resampling{}))
	// Output: 0.1 [0.1, 0.1] <nil>
}

func ExampleSpearman() {
	fmt.Println(metric.Spearman([]float32{1, 2, 3, 4}, []float32{10, 30, 20, 40}))
	// Output: 0.8 <nil>
}

func ExampleSSIM() {
	fmt.Println(metric.SSIM([]float32{0, 1, 2, 3}, []float32{10, 20, 30, 40}, 2, 2))
	// Output: 1 <nil>
}

func ExampleCompleteness() {
	// A map whose mean is 3, a bias of 0.5 and a score of 4.
	fmt.Println(metric.Completeness([]float32{3 + 0.5 - 4}, []float32{4}))
	// Output: [0.125] <nil>
}

func ExampleCenter() {
	x := images.Batch{N: 1, Height: 1, Width: 4, Channels: 1, Pixels: make([]float32, 4)}
	r, err := metric.Center(0)(context.Background(), nil, x, []int{0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %.3f\n", r.Method, r.Maps)
	// Output: centre [0.325 0.882 0.882 0.325]
}

func ExampleEdge() {
	x := images.Batch{N: 1, Height: 1, Width: 4, Channels: 1, Pixels: []float32{0, 0, 1, 1}}
	r, err := metric.Edge()(context.Background(), nil, x, []int{0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Method, r.Maps)
	// Output: edge [0 4 4 0]
}

func ExampleRandom() {
	x := images.Batch{N: 2, Height: 2, Width: 2, Channels: 1, Pixels: make([]float32, 8)}
	r, err := metric.Random(1, 2, 7)(context.Background(), nil, x, []int{0, 0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Method, r.Shape())
	// Output: random [2 1 2]
}

func ExampleUniform() {
	x := images.Batch{N: 1, Height: 2, Width: 2, Channels: 1, Pixels: make([]float32, 4)}
	r, err := metric.Uniform()(context.Background(), nil, x, []int{0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Method, r.Maps)
	// Output: uniform [1 1 1 1]
}
