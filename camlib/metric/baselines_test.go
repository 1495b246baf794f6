package metric_test

import (
	"math"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
)

func TestBaselinesByHand(t *testing.T) {
	explain := func(f metric.Explain, x images.Batch) *cam.Result {
		t.Helper()
		r := must(f(t.Context(), nil, x, make([]int, x.N)))
		if len(r.Maps) != r.N*r.Height*r.Width || r.N != x.N || len(r.Class) != x.N {
			t.Fatalf("%s: %d values of %d maps of %d×%d", r.Method, len(r.Maps), r.N, r.Height, r.Width)
		}
		return r
	}
	// A white column on the right of 3 × 3, and a spot of green in the middle of colors.
	x := pictures(3, 3, []float32{0, 0, 1, 0, 0, 1, 0, 0, 1}, []float32{0, 0, 0, 0, 1, 0, 0, 0, 0})
	edge := explain(metric.Edge(), x)
	r5 := math.Sqrt2
	want(t, "edge", wide(edge.Maps), []float64{0, 4, 4, 0, 4, 4, 0, 4, 4, r5, 2, r5, 2, 0, 2, r5, 2, r5}, nil)
	colors := explain(metric.Edge(), pictures(1, 3, []float32{0, 0, 0, 0, 0, 0, 0.5, 1, 0.25}))
	gray := 0.299*0.5 + 0.587 + 0.114*0.25
	want(t, "luminance", wide(colors.Maps), []float64{0, 4 * gray, 4 * gray}, nil)

	centre := explain(metric.Center(0.5), pictures(2, 4, make([]float32, 8)))
	// Half a pixel from the middle downwards, of a deviation of 1; ½ and 1½ sideways, of 2.
	near, far := math.Exp(-(0.25+0.0625)/2), math.Exp(-(0.25+0.5625)/2)
	want(t, "centre", wide(centre.Maps), []float64{far, near, near, far, far, near, near, far}, nil)
	usual := explain(metric.Center(0), pictures(1, 4, white))
	want(t, "a quarter", wide(usual.Maps[:2]), []float64{math.Exp(-1.125), math.Exp(-0.125)}, nil)

	uniform := explain(metric.Uniform(), x)
	want(t, "uniform", wide(uniform.Maps), slices.Repeat([]float64{1}, 2*3*3), nil)

	noise, again, other := explain(metric.Random(20, 30, 1), x), explain(metric.Random(20, 30, 1), x), explain(metric.Random(20, 30, 2), x)
	sum := 0.0
	for i, v := range noise.Maps {
		sum += float64(v) / 1200
		if v < 0 || v >= 1 || v != again.Maps[i] {
			t.Fatalf("value %d is %v and %v, want one from 0 to 1", i, v, again.Maps[i])
		}
	}
	if math.Abs(sum-0.5) > 0.03 || noise.Maps[0] == other.Maps[0] || noise.Maps[0] == noise.Maps[600] {
		t.Errorf("mean %v, want about ½; seeds and images have noise of their own: %v, %v, %v", sum, noise.Maps[0], other.Maps[0], noise.Maps[600])
	}
	_, err := metric.Edge()(t.Context(), nil, x, []int{1})
	wantError(t, err, metric.ErrClass, "metric: edge: 1 classes for 2 images, want one for each")
	_, err = metric.Uniform()(t.Context(), nil, images.Batch{}, nil)
	wantError(t, err, images.ErrNone, "images: none, want at least one")
}

func TestFillByHand(t *testing.T) {
	x := pictures(1, 3, []float32{0, 1, 0.5, 0.5, 1, 0}) // two channels
	want(t, "black", wide(metric.FillOf(metric.Black, x)), make([]float64, 6), nil)
	want(t, "mean color", wide(metric.FillOf(metric.MeanColor, x)), []float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, nil)
	// exp(−d²/50) for d = 1, 2, scaled to sum 1 over what is inside.
	a, b := math.Exp(-1./50), math.Exp(-4./50)
	edge, middle := (0.5*a+b)/(1+a+b), (0.5+a)/(1+2*a)
	want(t, "blurred", wide(metric.FillOf(metric.Blurred, x)), []float64{edge, 1 - edge, middle, 1 - middle, 1 - edge, edge}, nil)
	// Along columns the same, and no further than 5 pixels.
	line := make([]float32, 14)
	line[0] = 1
	down := metric.FillOf(metric.Blurred, pictures(14, 1, line))
	across := metric.FillOf(metric.Blurred, pictures(1, 14, line))
	want(t, "columns as rows", wide(down), wide(across), nil)
	if down[5] <= 0 || down[6] != 0 {
		t.Errorf("blur reaches %v and %v, want 5 pixels", down[5], down[6])
	}
}
