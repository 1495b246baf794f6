package cam_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/shared"
)

// BenchmarkAllClasses takes turns between the maps of all ten classes and the bare
// forward pass of the 10,000 test images, and reports their speeds and the ratio of the medians.
func BenchmarkAllClasses(b *testing.B) {
	back := backendOf(b, xlaCPU)
	net, err := article.Pretrained()
	if err != nil {
		b.Fatal(err)
	}
	test, err := cifar10.LoadSplit(b.Context(), cifar10.Options{Dir: shared.Data(b)}, cifar10.Test)
	if err != nil {
		b.Fatal(err)
	}
	x := batch(b, test)
	const some = 25 // in the cache, and a divisor of 10,000
	forward, err := model.NewExec(back, net.Store, net.Forward)
	if err != nil {
		b.Fatal(err)
	}
	size := x.Height * x.Width * x.Channels
	bare := func() {
		var scores []float32
		for start := 0; start < x.N; start += some {
			in := tensors.FromFlatDataAndDimensions(x.Pixels[start*size:(start+some)*size], some, x.Height, x.Width, x.Channels)
			out, err := forward.Exec(in)
			if err != nil {
				b.Fatal(err)
			}
			scores = append(scores, tensors.MustCopyFlatData[float32](out[0])...)
			in.MustFinalizeAll()
			out[0].MustFinalizeAll()
		}
		if len(scores) != x.N*cifar10.NumClasses {
			b.Fatalf("%d scores", len(scores))
		}
	}
	e := explainer(b, back, net, cam.Options{Batch: some})
	maps := func() {
		if r := explain(b, e, method(b, "cam"), x, cam.All); len(r.Maps) != x.N*10*16*16 {
			b.Fatalf("%d values", len(r.Maps))
		}
	}
	bare() // both are compiled before the clock runs
	maps()
	var bareTimes, mapTimes []float64
	for b.Loop() {
		for _, turn := range []struct {
			run   func()
			times *[]float64
		}{{bare, &bareTimes}, {maps, &mapTimes}} {
			start := time.Now()
			turn.run()
			*turn.times = append(*turn.times, time.Since(start).Seconds())
		}
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(float64(x.N)/median(bareTimes), "forward/s")
	b.ReportMetric(float64(x.N)/median(mapTimes), "maps/s")
	b.ReportMetric(median(bareTimes)/median(mapTimes), "of-forward")
	b.ReportMetric(0, "ns/op")
}
