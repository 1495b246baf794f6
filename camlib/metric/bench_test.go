package metric_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// BenchmarkMetrics times each metric of the Grad-CAM maps of the 1,000 sample
// images, graphs compiled, nothing kept but what all methods share. Run it with
// -benchtime 1x. ns/op ÷ 10⁶ is the time of an image in µs.
func BenchmarkMetrics(b *testing.B) {
	backend := backendtest.XLA(b)
	net, err := article.Pretrained()
	if err != nil {
		b.Fatal(err)
	}
	method, err := cam.Lookup("gradcam")
	if err != nil {
		b.Fatal(err)
	}
	images := must(images.FromDataset(cifar10.Sample(), 0, 1000))
	meter, err := metric.New(backend, net, metric.Options{})
	if err != nil {
		b.Fatal(err)
	}
	subject, err := meter.Prepare(b.Context(), images, nil)
	if err != nil {
		b.Fatal(err)
	}
	explain := metric.Explaining(backend, method, cam.Options{})
	r, err := explain(b.Context(), net, images, subject.Classes())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("prepare", func(b *testing.B) {
		for b.Loop() {
			if _, err := meter.Prepare(b.Context(), images, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, m := range metric.Metrics() {
		switch m.Name {
		case "increase", "average-gain", "road-morf", "road-lerf":
			continue // the same passes as average-drop and road
		}
		b.Run(m.Name, func(b *testing.B) {
			for i := 0; ; i++ {
				if i == 1 {
					b.ResetTimer() // compiled, and what is shared computed
				}
				if i > b.N {
					return
				}
				c, err := subject.Case(r, explain)
				if err != nil {
					b.Fatal(err)
				}
				values, err := m.Compute(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				e, err := metric.Bootstrap(values, metric.Resampling{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(e.Mean, "mean")
			}
		})
	}
}

// BenchmarkImpute times ROAD's linear system of one image with a share of its
// pixels gone in blobs, as maps have them.
func BenchmarkImpute(b *testing.B) {
	for _, side := range []int{32, 224} {
		for _, share := range []float64{0.2, 0.8} {
			b.Run(fmt.Sprintf("%d/%v", side, share), func(b *testing.B) {
				x, gone := make([]float32, 3*side*side), make([]bool, side*side)
				radius := math.Sqrt(share/math.Pi) * float64(side) // a disc, but for the corners
				for p := range gone {
					row, column := float64(p/side-side/2), float64(p%side-side/2)
					gone[p] = math.Hypot(row, column) < radius
					x[3*p] = float32(p%7) / 7
				}
				for b.Loop() {
					metric.Impute(x, gone, side, side, 3)
				}
			})
		}
	}
}
